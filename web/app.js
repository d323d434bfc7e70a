// The upload page. Files go from the browser straight to storage; this page requests the presigned upload, follows the
// verdict and offers the download.

import { isFinal } from './client/index.js';
import { listen } from './picking.js';
import { announce, byId, define, drop, explain, list, newRow, progressText, rows, showFile, showMessage, showProgress, STATUS_WORDS } from './rows.js';
import { airlock, follow, formatSize, onSignIn } from './service.js';
import { cancel, enqueue, isBusy, isOnItsWay, onPlaced, pause, postpone, resume, showInterrupted } from './uploads.js';

let nextCursor = null;

// --- following: one stream of events for all files ---

function onEvent(event) {
  const id = event.file_info?.file_id ?? event.file_id;
  const row = rows.get(id);
  if (event.type === 'progress') {
    if (row && !isBusy(row) && !showInterrupted(row)) showMessage(row, progressText(event));
  } else if (event.type === 'file.deleted') {
    if (row) drop(row);
  } else if (row) {
    onChange(row, event);
  } else if (!postpone(event) && !byId('filter').value) {
    const added = newRow(event.file_info.filename, event.file_info.file_size);
    showFile(added, event.file_info);
    list.prepend(added);
    byId('empty').hidden = true;
  }
}

function onChange(row, event) {
  const info = event.file_info;
  row.lastInfo = info;
  if (isOnItsWay(row, info)) return;
  row.isUploading = false;
  showProgress(row, null);
  const before = row.dataset.status;
  showFile(row, info);
  showInterrupted(row);
  if (event.type.startsWith('file.scan.') && before !== info.scan_status && isFinal(info)) {
    announce(`${info.filename}: ${STATUS_WORDS[info.scan_status]}. ${explain(info)}`);
  }
}

// --- actions ---

async function download(row) {
  const anchor = document.createElement('a');
  anchor.href = (await airlock.downloadLink(row.dataset.fileId)).url;
  anchor.download = '';
  anchor.click();
  setTimeout(() => refresh(row), 1500);
}

async function copy(row) {
  await navigator.clipboard.writeText((await airlock.downloadLink(row.dataset.fileId)).url);
  showMessage(row, 'Link copied. Everyone who has it can download this file.');
  announce('Link copied.');
}

async function remove(row) {
  await airlock.delete(row.dataset.fileId);
  drop(row);
  announce('File deleted.');
  byId('files-heading').focus();
}

async function refresh(row) {
  showFile(row, await airlock.file(row.dataset.fileId));
}

// --- the list ---

// Rows of running uploads stay, whatever the list shows.
function clear() {
  list.replaceChildren(...[...list.children].filter(isBusy));
  for (const [fileId, row] of rows) if (!isBusy(row)) rows.delete(fileId);
}

async function load({ more = false } = {}) {
  const query = new URLSearchParams({ limit: '50' });
  if (byId('filter').value) query.set('status', byId('filter').value);
  if (more && nextCursor) query.set('cursor', nextCursor);
  const page = await airlock.call(`/files?${query}`);
  if (!more) clear();
  for (const info of page.files) {
    const row = rows.get(info.file_id) ?? newRow(info.filename, info.file_size);
    if (isBusy(row)) continue;
    showFile(row, info);
    showInterrupted(row);
    list.append(row);
  }
  nextCursor = page.next_cursor ?? null;
  byId('more').hidden = nextCursor === null;
  byId('empty').hidden = list.children.length > 0;
}

async function showHealth() {
  const notice = byId('notice');
  const response = await fetch('/health').catch(() => null);
  const health = await response?.json().catch(() => null);
  const engine = health?.engine;
  const text = !health ? 'The service does not answer.'
    : engine?.definitions_freshness === 'test_set'
      ? 'Test mode: the virus definitions could not be downloaded. Only the EICAR test file and ClamAV’s own test files are recognised. Do not rely on these verdicts.'
      : engine?.definitions_freshness === 'stale' ? 'The virus definitions are too old. Files are accepted, but become unscannable.'
        : health.disk?.status === 'full' ? `${health.disk.detail} Uploads are refused.`
        : health.status !== 'ok' ? 'A part of the service is down. Files are accepted and scanned later.'
          : null;
  const limit = health?.uploads?.max_file_size;
  byId('limit').textContent = limit ? `Up to ${formatSize(limit)} each.` : '';
  notice.hidden = text === null;
  notice.textContent = text ?? '';
}

// --- wiring ---

define({ pause, resume, cancel, download, copy, delete: remove });
onPlaced(onEvent);
listen({
  dropZone: byId('drop'),
  pickers: [byId('picker'), byId('folder-picker')],
  onFiles: enqueue,
  onError: (error) => announce(`The files could not be read: ${error.message}`),
});
byId('folder').addEventListener('click', () => byId('folder-picker').click());
byId('filter').addEventListener('change', () => load().catch(showListProblem));
byId('more').addEventListener('click', () => load({ more: true }).catch(showListProblem));
byId('files-heading').tabIndex = -1;

function showListProblem(error) {
  byId('empty').hidden = false;
  byId('empty').textContent = error.message;
}

// First the stream, then the list: an event in between is then in both, not in neither.
function begin() {
  follow('/events', onEvent, (isConnected) => { byId('live').hidden = isConnected; });
  load().catch(showListProblem);
}

onSignIn(begin);
begin();
showHealth();
setInterval(showHealth, 60_000);
