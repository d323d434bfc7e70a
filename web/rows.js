// The rows of the list, one for each file. Names are untrusted, so they are only ever set as text.

import { explain as explainRefusal } from './client/explain.js';
import { formatSeconds, formatSize } from './service.js';

export const STATUS_WORDS = {
  pending: 'Waiting', scanning: 'Scanning', clean: 'Clean', infected: 'Infected', released: 'Released', unscannable: 'Not checkable',
  error: 'Scan failed', expired: 'Expired', deleted: 'Deleted',
};

export const byId = (id) => document.getElementById(id);
export const list = byId('files');
/** Rows by the ids of their files. */
export const rows = new Map();

const ACTIONS = ['pause', 'resume', 'cancel', 'download', 'copy', 'delete'];
const acts = {};

/** Sets the actions of a row's buttons: functions by the names of the buttons' classes. */
export const define = (actions) => Object.assign(acts, actions);

export function announce(text) {
  byId('announcer').textContent = text;
}

export function newRow(name, size) {
  const row = byId('file').content.firstElementChild.cloneNode(true);
  row.querySelector('.name').textContent = name;
  row.querySelector('.meta').textContent = formatSize(size);
  for (const action of ACTIONS) {
    const button = row.querySelector(`.${action}`);
    button.setAttribute('aria-label', `${button.textContent} ${name}`);
    button.addEventListener('click', async () => {
      try {
        await acts[action](row);
      } catch (error) {
        showMessage(row, error.message);
      }
    });
  }
  return row;
}

/** Shows these of a row's buttons, and no others. */
export function showActions(row, ...shown) {
  for (const action of ACTIONS) row.querySelector(`.${action}`).hidden = !shown.includes(action);
}

export function showState(row, kind, badge, message) {
  row.className = `file ${kind}`;
  row.querySelector('.badge').textContent = badge;
  showMessage(row, message);
}

export function showMessage(row, message) {
  row.querySelector('.message').textContent = message;
}

export function showProgress(row, fraction) {
  const bar = row.querySelector('progress');
  bar.hidden = fraction === null;
  if (fraction !== null) {
    bar.value = fraction;
    bar.setAttribute('aria-label', `Upload of ${row.querySelector('.name').textContent}`);
  }
}

export function showFile(row, info, message) {
  row.dataset.fileId = info.file_id;
  row.dataset.status = info.scan_status;
  rows.set(info.file_id, row);
  const uploaded = new Date(info.upload_timestamp).toLocaleString();
  const downloads = info.download_count ? ` · ${info.download_count} download${info.download_count === 1 ? '' : 's'}` : '';
  row.querySelector('.name').textContent = info.filename;
  row.querySelector('.meta').textContent = `${formatSize(info.file_size)} · ${uploaded}${downloads}`;
  showState(row, info.scan_status, STATUS_WORDS[info.scan_status] ?? info.scan_status, message ?? explain(info));
  const isDownloadable = ['clean', 'released'].includes(info.scan_status);
  showActions(row, ...(isDownloadable ? ['download', 'copy'] : []), ...(info.scan_status === 'deleted' ? [] : ['delete']));
}

export function explain(info) {
  switch (info.scan_status) {
    case 'clean': return 'Nothing was found. Safe to download.';
    case 'released': return `${info.scan_result?.signature ?? 'Malware'} was found; an operator released the file: ${info.release_reason}`;
    case 'scanning': return 'Being scanned now.';
    case 'pending': return 'Waiting for the scan.';
    default: return explainRefusal(info);
  }
}

export function progressText({ phase, elapsed_seconds: elapsed, estimated_seconds: estimated }) {
  const left = estimated === undefined ? '' : `, about ${formatSeconds(Math.max(estimated, 0.1))} left`;
  if (phase === 'scanning') return `Being scanned for ${formatSeconds(elapsed)}${left}.`;
  return phase === 'queued' ? `In the queue${left}.` : 'Waiting for the file to arrive.';
}

export function drop(row) {
  rows.delete(row.dataset.fileId);
  row.remove();
  byId('empty').hidden = list.children.length > 0;
}
