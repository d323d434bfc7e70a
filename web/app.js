// The upload page. Files go from the browser straight to storage; this page asks for the permission, follows the verdict
// and offers the download. It trusts nothing that a file or its name contains: text is only ever set as text.

import { call, follow, formatSeconds, formatSize, onSignIn } from './service.js';

const MAX_HASHED_BYTES = 64 * 1024 * 1024; // larger files would have to be held in memory to be hashed
const PARALLEL_UPLOADS = 3;
const STATUS_WORDS = {
  pending: 'Waiting', scanning: 'Scanning', clean: 'Clean', infected: 'Infected', released: 'Released', unscannable: 'Not checkable',
  error: 'Scan failed', expired: 'Expired', deleted: 'Deleted',
};

const byId = (id) => document.getElementById(id);
const list = byId('files');
const rows = new Map(); // file id -> row element
let nextCursor = null;

function announce(text) {
  byId('announcer').textContent = text;
}

// --- one file, one row ---

function newRow(name, size) {
  const row = byId('file').content.firstElementChild.cloneNode(true);
  row.querySelector('.name').textContent = name;
  row.querySelector('.meta').textContent = formatSize(size);
  for (const [action, act] of [['download', download], ['copy', copyLink], ['delete', remove]]) {
    const button = row.querySelector(`.${action}`);
    button.setAttribute('aria-label', `${button.textContent} ${name}`);
    button.addEventListener('click', () => act(row).catch((error) => showMessage(row, error.message)));
  }
  return row;
}

function showState(row, kind, badge, message) {
  row.className = `file ${kind}`;
  row.querySelector('.badge').textContent = badge;
  showMessage(row, message);
}

function showMessage(row, message) {
  row.querySelector('.message').textContent = message;
}

function showProgress(row, fraction) {
  const bar = row.querySelector('progress');
  bar.hidden = fraction === null;
  if (fraction !== null) {
    bar.value = fraction;
    bar.setAttribute('aria-label', `Upload of ${row.querySelector('.name').textContent}`);
  }
}

function showFile(row, info, message) {
  row.dataset.fileId = info.file_id;
  row.dataset.status = info.scan_status;
  rows.set(info.file_id, row);
  const uploaded = new Date(info.upload_timestamp).toLocaleString();
  const downloads = info.download_count ? ` · ${info.download_count} download${info.download_count === 1 ? '' : 's'}` : '';
  row.querySelector('.name').textContent = info.filename;
  row.querySelector('.meta').textContent = `${formatSize(info.file_size)} · ${uploaded}${downloads}`;
  showState(row, info.scan_status, STATUS_WORDS[info.scan_status] ?? info.scan_status, message ?? explain(info));
  const isDownloadable = ['clean', 'released'].includes(info.scan_status);
  row.querySelector('.download').hidden = !isDownloadable;
  row.querySelector('.copy').hidden = !isDownloadable;
  row.querySelector('.delete').hidden = info.scan_status === 'deleted';
}

function explain(info) {
  const result = info.scan_result;
  switch (info.scan_status) {
    case 'clean': return 'Nothing was found. Safe to download.';
    case 'released': return `${result?.signature ?? 'Something'} was found; an operator has released it: ${info.release_reason}`;
    case 'infected': return `Blocked: ${result?.signature ?? 'malware'} was found.`;
    case 'unscannable':
    case 'error': return result?.explanation ?? 'It could not be checked.';
    case 'scanning': return 'Being checked now.';
    case 'expired': return 'It has been removed.';
    default: return 'Waiting for the scan.';
  }
}

// --- uploading ---

const waiting = [];
let uploading = 0;

function enqueue(files) {
  for (const file of files) {
    const row = newRow(file.name, file.size);
    showState(row, 'pending', 'Queued', 'Waiting to be uploaded.');
    list.prepend(row);
    waiting.push({ file, row });
  }
  byId('empty').hidden = true;
  announce(`${files.length} file${files.length === 1 ? '' : 's'} added.`);
  pump();
}

function pump() {
  while (uploading < PARALLEL_UPLOADS && waiting.length > 0) {
    const { file, row } = waiting.shift();
    uploading += 1;
    upload(file, row)
      .catch((error) => {
        showProgress(row, null);
        showState(row, 'refused', 'Not accepted', error.message);
        announce(`${file.name}: ${error.message}`);
      })
      .finally(() => { uploading -= 1; pump(); });
  }
}

async function upload(file, row) {
  const request = { filename: file.name, size: file.size, content_type: file.type || undefined };
  if (file.size <= MAX_HASHED_BYTES) {
    showState(row, 'pending', 'Preparing', 'Computing its checksum.');
    request.checksum_sha256 = await sha256(file);
  }
  const accepted = await announced(call('/files', {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(request),
  }), row);
  showState(row, 'pending', 'Uploading', '');
  await send(accepted.upload, file, (fraction) => showProgress(row, fraction));
  showProgress(row, null);
  row.uploading = false;
  const info = row.lastInfo;
  if (info) showFile(row, info);
  else showState(row, 'pending', STATUS_WORDS.pending, 'Waiting for the scan.');
}

async function sha256(file) {
  const digest = await crypto.subtle.digest('SHA-256', await file.arrayBuffer());
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

// XMLHttpRequest because fetch tells no upload progress.
function send({ method, url, headers }, file, onProgress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(method, url);
    for (const [name, value] of Object.entries(headers ?? {})) {
      if (name !== 'content-length') request.setRequestHeader(name, value); // the browser sets it from the body
    }
    request.upload.onprogress = (event) => { if (event.lengthComputable) onProgress(event.loaded / event.total); };
    request.onload = () => (request.status < 300 ? resolve() : reject(new Error(`Storage refused the upload (${request.status}).`)));
    request.onerror = () => reject(new Error('The connection to storage was lost.'));
    request.send(file);
  });
}

// --- following: one stream of events for all files ---

let announcing = 0; // while an answer is on its way, an unknown file may be our own
const unplaced = [];

async function announced(answer, row) {
  announcing += 1;
  try {
    const accepted = await answer;
    row.uploading = true;
    row.dataset.fileId = accepted.file_id;
    rows.set(accepted.file_id, row);
    return accepted;
  } finally {
    announcing -= 1;
    if (announcing === 0) unplaced.splice(0).forEach(onEvent);
  }
}

function onEvent(event) {
  const id = event.file_info?.file_id ?? event.file_id;
  const row = rows.get(id);
  if (event.type === 'progress') {
    if (row && !row.uploading) showMessage(row, progressText(event));
  } else if (event.type === 'file.deleted') {
    if (row) drop(row);
  } else if (row) {
    row.lastInfo = event.file_info;
    if (row.uploading && event.file_info.scan_status === 'pending') return;
    row.uploading = false;
    showProgress(row, null);
    const before = row.dataset.status;
    showFile(row, event.file_info);
    if (event.type.startsWith('file.scan.') && before !== event.file_info.scan_status && isFinal(event.file_info)) {
      announce(`${event.file_info.filename}: ${STATUS_WORDS[event.file_info.scan_status]}. ${explain(event.file_info)}`);
    }
  } else if (announcing > 0) {
    unplaced.push(event);
  } else if (!byId('filter').value) {
    const added = newRow(event.file_info.filename, event.file_info.file_size);
    showFile(added, event.file_info);
    list.prepend(added);
    byId('empty').hidden = true;
  }
}

const isFinal = (info) => !['pending', 'scanning'].includes(info.scan_status);

function progressText({ phase, elapsed_seconds: elapsed, estimated_seconds: estimated }) {
  const left = estimated === undefined ? '' : `, about ${formatSeconds(Math.max(estimated, 0.1))} to go`;
  if (phase === 'scanning') return `Being checked for ${formatSeconds(elapsed)}${left}.`;
  return phase === 'queued' ? `Waiting for its turn${left}.` : 'Waiting for the file to arrive.';
}

// --- actions ---

const linkOf = async (row) => {
  const { download_url: path } = await call(`/files/${row.dataset.fileId}/download-link`);
  return new URL(path, location.href).href;
};

async function download(row) {
  const anchor = document.createElement('a');
  anchor.href = await linkOf(row);
  anchor.download = '';
  anchor.click();
  setTimeout(() => refresh(row), 1500);
}

async function copyLink(row) {
  await navigator.clipboard.writeText(await linkOf(row));
  showMessage(row, 'Link copied. Whoever has it can download this file.');
  announce('Link copied.');
}

async function remove(row) {
  await call(`/files/${row.dataset.fileId}`, { method: 'DELETE' });
  drop(row);
  announce('File deleted.');
  byId('files-heading').focus();
}

function drop(row) {
  rows.delete(row.dataset.fileId);
  row.remove();
  byId('empty').hidden = list.children.length > 0;
}

async function refresh(row) {
  showFile(row, await call(`/files/${row.dataset.fileId}`));
}

// --- the list ---

async function load({ more = false } = {}) {
  const query = new URLSearchParams({ limit: '50' });
  if (byId('filter').value) query.set('status', byId('filter').value);
  if (more && nextCursor) query.set('cursor', nextCursor);
  const page = await call(`/files?${query}`);
  if (!more) { list.replaceChildren(); rows.clear(); }
  for (const info of page.files) {
    const row = rows.get(info.file_id) ?? newRow(info.filename, info.file_size);
    showFile(row, info);
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
      : engine?.definitions_freshness === 'stale' ? 'The virus definitions are too old. Files are accepted, but none is called clean.'
        : health.status !== 'ok' ? 'A part of the service is down. Files are accepted and scanned later.'
          : null;
  notice.hidden = text === null;
  notice.textContent = text ?? '';
}

// --- wiring ---

const dropZone = byId('drop');
for (const name of ['dragenter', 'dragover']) {
  dropZone.addEventListener(name, (event) => { event.preventDefault(); dropZone.classList.add('over'); });
}
for (const name of ['dragleave', 'drop']) dropZone.addEventListener(name, () => dropZone.classList.remove('over'));
dropZone.addEventListener('drop', (event) => { event.preventDefault(); enqueue([...event.dataTransfer.files]); });
// A file that misses the drop zone must not replace the page.
for (const name of ['dragover', 'drop']) document.addEventListener(name, (event) => event.preventDefault());
byId('picker').addEventListener('change', (event) => { enqueue([...event.target.files]); event.target.value = ''; });
byId('filter').addEventListener('change', () => load().catch(showListProblem));
byId('more').addEventListener('click', () => load({ more: true }).catch(showListProblem));
byId('files-heading').tabIndex = -1;

function showListProblem(error) {
  byId('empty').hidden = false;
  byId('empty').textContent = error.message;
}

// First the stream, then the list: what happens in between is in both, not in neither.
function begin() {
  follow('/events', onEvent, (isConnected) => { byId('live').hidden = isConnected; });
  load().catch(showListProblem);
}

onSignIn(begin);
begin();
showHealth();
setInterval(showHealth, 60_000);
