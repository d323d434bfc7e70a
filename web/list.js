// Shows the entries as two lists, the uploads of this page and the files of the service, a page of rows at a time.

import { serviceFiles, uploads } from './entries.js';
import { count } from './format.js';
import { rowOf, setText } from './rows.js';

const byId = (id) => document.getElementById(id);
export const PAGE = 50;
const UPLOADS_SHOWN = 20;
/** At most this often, so that a thousand events cost no more than one. */
const RENDER_MS = 100;

/** How much of the service's list is shown and known. `oldest` is the time of the last file that was loaded, while there are more. */
export const view = { n_shown: PAGE, oldest: -Infinity, hasMore: false, isLoaded: false };

let timer = null;
let last = 0;
const after = new Set();

/** Called after each rendering. */
export const onRender = (act) => after.add(act);

export function render() {
  timer ??= setTimeout(renderNow, Math.max(0, RENDER_MS - (performance.now() - last)));
}

/** Renders without the pause. */
export function renderNow() {
  clearTimeout(timer);
  timer = null;
  last = performance.now();
  const focus = focused();
  const own = uploads();
  const stored = serviceFiles(byId('filter').value, view.oldest);
  place(byId('uploads'), own.slice(0, UPLOADS_SHOWN));
  place(byId('files'), stored.slice(0, view.n_shown));
  byId('uploads-more').hidden = own.length <= UPLOADS_SHOWN;
  setText(byId('uploads-more'), `and ${count(own.length - UPLOADS_SHOWN, 'more upload')} in the queue`);
  byId('more').hidden = stored.length <= view.n_shown && !view.hasMore;
  const status = byId('filter').value;
  byId('empty').hidden = stored.length > 0 || !view.isLoaded || !byId('list-problem').hidden;
  setText(byId('empty'), status ? `No file is ${status === 'error' ? 'in error' : status}.` : 'No files yet. What you upload appears here with its verdict.');
  after.forEach((act) => act());
  refocus(focus);
}

function place(list, wanted) {
  const rows = wanted.map(rowOf);
  const keep = new Set(rows);
  for (const row of [...list.children]) if (!keep.has(row)) row.remove();
  rows.forEach((row, at) => { if (list.children[at] !== row) list.insertBefore(row, list.children[at] ?? null); });
}

// A row that moves or goes, and a button that hides, would leave the keyboard at the top of the page.
function focused() {
  const element = document.activeElement;
  const row = element?.closest?.('li.file');
  return row ? { element, row, list: row.parentElement, at: [...row.parentElement.children].indexOf(row) } : null;
}

function refocus(focus) {
  if (!focus || (document.activeElement !== document.body && isUsable(document.activeElement))) return;
  const { element, row, list, at } = focus;
  const next = row.isConnected ? row : list.children[Math.min(at, list.children.length - 1)];
  const target = [element, ...next?.querySelectorAll('.actions button, .open') ?? []].find(isUsable);
  (target ?? byId('files-heading')).focus();
}

const isUsable = (element) => element.isConnected && !element.disabled && element.getClientRects().length > 0;
