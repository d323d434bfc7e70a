// The rows of the lists, one for each entry that is shown. Names are untrusted, so they are only ever set as text.

import { connection } from './connection.js';
import { describe } from './describe.js';
import { isProblem } from './entries.js';
import { formatDate } from './format.js';
import { showDetails } from './details.js';
import { airlock } from './service.js';

const byId = (id) => document.getElementById(id);
const ACTIONS = ['pause', 'resume', 'retry', 'cancel', 'download', 'copy', 'delete', 'dismiss'];
const acts = {};
const rowsByEntry = new WeakMap();

/** Sets what the buttons of a row do: functions of its entry, by the names of the buttons' classes. */
export const define = (actions) => Object.assign(acts, actions);

/** The row of an entry, which shows its current state. */
export function rowOf(entry) {
  const row = rowsByEntry.get(entry) ?? newRow(entry);
  show(row, entry);
  return row;
}

function newRow(entry) {
  const row = byId('file').content.firstElementChild.cloneNode(true);
  for (const action of ACTIONS) row.querySelector(`.${action}`).addEventListener('click', () => act(action, entry));
  row.querySelector('.open').addEventListener('click', () => act('open', entry));
  rowsByEntry.set(entry, row);
  return row;
}

async function act(action, entry) {
  entry.note = null;
  try {
    await acts[action](entry);
  } catch (error) {
    acts.problem(entry, error);
  }
}

function show(row, entry) {
  const isPending = entry.info?.scan_status === 'pending';
  const unfinished = isPending && airlock.unfinished.list().find(({ fileId }) => fileId === entry.fileId);
  const { kind, badge, message, meta, fraction, actions } = describe(entry, connection(), unfinished);
  const part = (name) => row.querySelector(`.${name}`);
  row.className = `file ${kind}${entry.isOpen ? ' is-open' : ''}`;
  if (part('name').textContent !== entry.name) showName(row, entry.name);
  setText(part('badge'), badge);
  setText(part('message'), message);
  part('message').classList.toggle('problem', isProblem(entry) || Boolean(entry.note?.isProblem));
  setText(part('meta'), meta);
  part('meta').title = entry.info ? formatDate(entry.info.upload_timestamp) : '';
  for (const action of ACTIONS) part(action).hidden = !actions.includes(action);
  const bar = row.querySelector('progress');
  bar.hidden = fraction === null;
  if (fraction !== null) bar.value = fraction;
  const canOpen = entry.info !== null;
  part('open').disabled = !canOpen;
  part('open').setAttribute('aria-expanded', String(entry.isOpen && canOpen));
  showDetails(row, entry);
}

function showName(row, name) {
  setText(row.querySelector('.name'), name);
  row.querySelector('.name').title = name;
  row.querySelector('progress').setAttribute('aria-label', `Upload of ${name}`);
  for (const action of ACTIONS) {
    const button = row.querySelector(`.${action}`);
    button.setAttribute('aria-label', `${button.textContent} ${name}`);
  }
}

/** Sets a text only if it differs, so that an unchanged row costs nothing. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
