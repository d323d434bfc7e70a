// The upload page. Files go from the browser straight to storage; this page requests the presigned upload, follows the
// verdict and offers the download.

import { cancelAll, deleteAllNow, detailActions, refreshOpen, rowActions } from './actions.js';
import { announce, announceVerdict, toast } from './announce.js';
import { showBatch } from './batch.js';
import { isFinal } from './client/index.js';
import { connection, CONNECTION_TEXTS, onConnection, setConnected } from './connection.js';
import { defineDetails } from './details.js';
import { entries, find, isUnfinished, remove, showInfo, update } from './entries.js';
import { formatSize } from './format.js';
import { hasSettled, isAbandoned, release } from './leftovers.js';
import { onRender, PAGE, render, renderNow, view } from './list.js';
import { listen } from './picking.js';
import { clearBatch, enqueue, onPlaced, pauseAll, postpone, resumeAll, retryAll, settle } from './queue.js';
import { define, rowOf } from './rows.js';
import { airlock, askHealth, follow, onSignIn } from './service.js';
import { files, problem, sentence } from './words.js';

const byId = (id) => document.getElementById(id);
let nextCursor = null;

// --- following: one stream of events for all files ---

function onEvent(event) {
  const entry = find(event.file_info?.file_id ?? event.file_id);
  if (event.type === 'progress') onProgress(entry, event);
  else if (event.type === 'file.deleted') onDeleted(entry);
  else if (entry) onChange(entry, event);
  else if (!postpone(event)) showInfo(event.file_info);
  render();
}

async function onProgress(entry, event) {
  if (!entry?.info) return;
  entry.progress = event;
  if (event.phase !== 'waiting_for_upload' || !hasSettled() || !await isAbandoned(entry.fileId)) return;
  release(entry.fileId);
  remove(entry);
  airlock.delete(entry.fileId).catch(() => { /* The service removes it after a day. */ });
  announce(`${entry.name} was not uploaded completely before this page was closed. Choose it again.`);
}

function onDeleted(entry) {
  if (!entry) return;
  if (isUnfinished(entry)) cancelAll([entry]);
  remove(entry);
}

function onChange(entry, event) {
  const info = event.file_info;
  const before = entry.info?.scan_status;
  if (entry.phase !== null) {
    entry.latest = info;
    // Its answer was lost, or is late: the file is stored.
    if (info.scan_status === 'pending') return;
    settle(entry, info);
  } else {
    update(entry, info);
  }
  if (info.scan_status !== 'pending') release(info.file_id);
  if (event.type.startsWith('file.scan.') && before !== info.scan_status && isFinal(info)) announceVerdict(info, sentence(info));
}

// --- the list ---

// Running uploads stay, whatever the list shows.
function clear() {
  for (const entry of [...entries]) if (entry.phase === null && !entry.isDeleted && !entry.isOpen) remove(entry);
  view.n_shown = PAGE;
}

async function load({ more = false } = {}) {
  const query = new URLSearchParams({ limit: String(PAGE) });
  if (byId('filter').value) query.set('status', byId('filter').value);
  if (more && nextCursor) query.set('cursor', nextCursor);
  const page = await airlock.call(`/files?${query}`);
  if (!more) clear();
  for (const info of page.files) if (!find(info.file_id) || find(info.file_id).phase === null) showInfo(info);
  nextCursor = page.next_cursor ?? null;
  // Older files are known from events only, with gaps between them: they are shown once the list gets there.
  const oldest = Math.min(...page.files.map((info) => Date.parse(info.upload_timestamp)), more ? view.oldest : Infinity);
  Object.assign(view, { isLoaded: true, hasMore: nextCursor !== null, oldest: nextCursor && oldest !== Infinity ? oldest : -Infinity });
  showListProblem(null);
}

function showListProblem(error) {
  byId('list-problem').hidden = error === null || error.status === 401;
  byId('list-problem').textContent = error ? `The list could not be loaded. ${problem(error)}` : '';
  render();
}

const reload = (options) => load(options).catch(showListProblem);

async function showMore() {
  view.n_shown += PAGE;
  await reload({ more: true });
}

// --- notices ---

const health = (text) => { byId('notice').hidden = text === null; byId('notice').textContent = text ?? ''; };

async function showHealth() {
  const answer = await askHealth();
  if (!answer) return; // The connection's own notice says so.
  const { engine, disk, status, uploads } = answer;
  if (engine?.definitions_freshness === 'test_set') {
    health('Test mode: the official virus definitions are not installed. Only test files such as EICAR are recognised. Do not rely on these verdicts.');
  } else if (engine?.definitions_freshness === 'stale') {
    health('The virus definitions are out of date. Files are accepted, but become unscannable until an operator updates the definitions.');
  } else if (disk?.status === 'full') {
    health(`${disk.detail} Uploads are refused until then.`);
  } else {
    health(status === 'ok' ? null : 'A part of the service is down. Files are accepted, and scanned when it is back.');
  }
  const limit = uploads?.max_file_size;
  byId('limit').textContent = limit ? `Up to ${formatSize(limit)} each.` : '';
  const accepted = uploads?.accepted_extensions;
  byId('accepted').hidden = !accepted;
  byId('accepted').querySelector('p').textContent = accepted?.join(', ') ?? '';
  render();
}

function showConnection(state) {
  byId('live').hidden = state === 'ok';
  byId('live').textContent = CONNECTION_TEXTS[state] ?? '';
  if (state === 'ok' && (!view.isLoaded || !byId('list-problem').hidden)) reload();
  render();
}

// --- wiring ---

function add(chosen) {
  if (chosen.length === 0) return;
  enqueue(chosen, byId('file-password').value);
  announce(`${files(chosen.length)} added.`);
}

define(rowActions);
defineDetails(detailActions);
onPlaced(onEvent);
onRender(showBatch);
onConnection(showConnection);
listen({
  curtain: byId('curtain'),
  pickers: [byId('picker'), byId('folder-picker')],
  onFiles: add,
  onError: (error) => announce(`The files could not be read: ${error.message}`),
});
byId('folder').addEventListener('click', () => byId('folder-picker').click());
byId('filter').addEventListener('change', () => reload());
byId('more').addEventListener('click', showMore);
const all = (isWanted) => [...entries].filter(isWanted);
byId('pause-all').addEventListener('click', pauseAll);
byId('resume-all').addEventListener('click', resumeAll);
byId('retry-all').addEventListener('click', () => retryAll());
byId('cancel-all').addEventListener('click', () => cancelAll(all(isUnfinished)));
byId('clear').addEventListener('click', () => { clearBatch(); render(); byId('files-heading').focus(); });

addEventListener('beforeunload', (event) => { if (all(isUnfinished).length > 0) event.preventDefault(); });
addEventListener('pagehide', deleteAllNow);

// `#file=ID`, as the monitor links to a file: its panel is opened.
async function openLinked() {
  const fileId = /^#file=([\w-]+)$/.exec(location.hash)?.[1];
  if (!fileId) return;
  try {
    const entry = showInfo(await airlock.call(`/files/${fileId}`));
    entry.isOpen = true;
    renderNow();
    rowOf(entry).scrollIntoView({ block: 'center' });
  } catch (error) {
    toast(`The linked file could not be opened. ${problem(error)}`);
  }
}

// First the stream, then the list: an event in between is then in both, not in neither.
function begin() {
  follow('/events', onEvent, setConnected);
  reload().then(openLinked);
}

onSignIn(() => {
  begin();
  retryAll(({ phase, code }) => phase === 'failed' && code === 'unauthorized');
});
begin();
showHealth();
if (connection() !== 'ok') showConnection(connection());
setInterval(showHealth, 60_000);
setInterval(refreshOpen, 5000);
setInterval(render, 1000); // speeds, and how long ago
