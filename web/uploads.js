// Uploads: a few run concurrently, each with a row that shows its progress and can pause, cancel and resume it.

import { airlock } from './service.js';
import { announce, byId, drop, list, newRow, rows, showActions, showFile, showProgress, showState, STATUS_WORDS } from './rows.js';

const PARALLEL_UPLOADS = 3;
const waiting = [];
let uploading = 0;

/** Whether a row's file is being uploaded, or will be. */
export const isBusy = (row) => Boolean(row.isQueued || row.upload);

/** Queues files for upload. */
export function enqueue(files) {
  const password = byId('file-password').value;
  for (const file of files) {
    const row = rows.get(airlock.unfinished.find(file)) ?? newRow(file.name, file.size);
    if (isBusy(row)) continue; // it is being uploaded already
    row.isQueued = true;
    showState(row, 'pending', 'Queued', 'Waiting to be uploaded.');
    showActions(row);
    list.prepend(row);
    waiting.push({ file, row, password });
  }
  byId('empty').hidden = list.children.length > 0;
  announce(`${files.length} file${files.length === 1 ? '' : 's'} added.`);
  pump();
}

function pump() {
  while (uploading < PARALLEL_UPLOADS && waiting.length > 0) {
    const { file, row, password } = waiting.shift();
    uploading += 1;
    row.isQueued = false;
    upload(file, row, password)
      .catch((error) => showFailure(row, file, error))
      .finally(() => { row.upload = null; uploading -= 1; pump(); });
  }
}

async function upload(file, row, password) {
  const states = { preparing: ['Preparing', 'Computing the checksum.'], sending: ['Uploading', ''], completing: ['Uploading', 'Almost there.'] };
  row.upload = airlock.upload(file, {
    password,
    onState: (state) => { if (!row.upload?.isPaused) showState(row, 'pending', ...states[state]); },
    onProgress: ({ loaded, total }) => showProgress(row, loaded / total),
  });
  showActions(row, 'pause', 'cancel');
  await announced(row.upload.created, row);
  const stored = await row.upload.stored;
  showProgress(row, null);
  row.isUploading = false;
  // An event may arrive before the answer.
  showFile(row, row.lastInfo ?? stored);
}

function showFailure(row, file, error) {
  showProgress(row, null);
  row.isUploading = false;
  if (error.name === 'AbortError') {
    drop(row);
    announce(`${file.name}: cancelled.`);
    return;
  }
  const canResume = airlock.unfinished.find(file) !== null;
  showState(row, 'refused', canResume ? 'Interrupted' : 'Not accepted', canResume ? `${error.message} Choose the file again to resume.` : error.message);
  showActions(row, ...(row.dataset.fileId ? ['delete'] : []));
  announce(`${file.name}: ${error.message}`);
}

export function pause(row) {
  row.upload.pause();
  showState(row, 'pending', 'Paused', 'The uploaded parts are kept.');
  showActions(row, 'resume', 'cancel');
}

export function resume(row) {
  showState(row, 'pending', 'Uploading', '');
  showActions(row, 'pause', 'cancel');
  row.upload.resume();
}

export const cancel = (row) => row.upload.abort();

/** Shows how to resume the upload of this row, if an earlier page left it unfinished. Returns whether it did. */
export function showInterrupted(row) {
  const left = airlock.unfinished.list().find(({ fileId }) => fileId === row.dataset.fileId);
  if (!left || isBusy(row) || row.dataset.status !== 'pending') return false;
  showState(row, 'pending', 'Interrupted', `Choose ${left.name} again to resume: the uploaded parts are kept.`);
  return true;
}

// --- events about files whose ids are not known yet: until `POST /files` answers, an unknown file may be our own ---

let announcing = 0;
const unplaced = [];
let place = () => {};

/** `onEvent` gets the events that {@link postpone} kept, once the rows of all files are known. */
export const onPlaced = (onEvent) => { place = onEvent; };

/** Keeps an event about an unknown file while an upload is being created. Returns whether it did. */
export function postpone(event) {
  if (announcing > 0) unplaced.push(event);
  return announcing > 0;
}

async function announced(created, row) {
  announcing += 1;
  try {
    row.dataset.fileId = await created;
    row.isUploading = true;
    rows.set(row.dataset.fileId, row);
  } finally {
    announcing -= 1;
    if (announcing === 0) unplaced.splice(0).forEach(place);
  }
}

/** Whether an event about a row's file only reports that its upload continues. */
export const isOnItsWay = (row, info) => row.isUploading && STATUS_WORDS[info.scan_status] === STATUS_WORDS.pending;
