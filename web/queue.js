// The queue of uploads: a few run concurrently; each can be paused, resumed, cancelled and retried.

import { connection, explainStorage, onConnection } from './connection.js';
import { addUpload, entries, find, forgetId, identify, isActive, isProblem, isUnfinished, remove, showLoaded, update, uploads } from './entries.js';
import { hold, release } from './leftovers.js';
import { render } from './list.js';
import { airlock, limits } from './service.js';
import { problem } from './words.js';

const PARALLEL_UPLOADS = 3;

/** The uploads since the queue was last empty, with samples of what was done when. `isHeld`: no other upload is started. */
export const batch = { entries: new Set(), samples: [], isHeld: false };

/** Queues files for upload. */
export function enqueue(files, password) {
  if (![...batch.entries].some(isUnfinished)) clearBatch();
  for (const file of files) {
    const known = find(airlock.unfinished.find(file));
    if (known && known.phase !== null) continue; // it is being uploaded already
    if (known) remove(known);
    batch.entries.add(addUpload(file, password));
  }
  pump();
}

/** Forgets a finished batch; its files stay in the list. */
export function clearBatch() {
  for (const entry of [...entries].filter(isProblem)) dismiss(entry);
  batch.entries.clear();
  batch.samples = [];
}

function pump() {
  const own = uploads();
  if (!own.some(isUnfinished)) batch.isHeld = false;
  const next = batch.isHeld ? [] : own.filter(({ phase }) => phase === 'queued');
  for (let free = PARALLEL_UPLOADS - own.filter(isActive).length; free > 0 && next.length > 0; free -= 1) {
    const entry = next.shift();
    if (entry.upload) continueUpload(entry);
    else start(entry);
  }
  render();
}

async function start(entry) {
  const { file, password } = entry;
  entry.phase = 'preparing';
  entry.upload = airlock.upload(file, {
    password,
    onState: (phase) => { if (isActive(entry)) entry.phase = phase; entry.retry = null; render(); },
    onProgress: ({ loaded }) => { if (loaded > entry.loaded) entry.retry = null; showLoaded(entry, loaded); render(); },
    onRetry: (error, progress) => showRetry(entry, error, progress),
  });
  const { upload } = entry;
  try {
    await announced(upload.created, entry);
    const stored = await upload.stored;
    if (entry.upload === upload) settle(entry, entry.latest ?? stored);
  } catch (error) {
    if (entry.upload === upload && error.name !== 'AbortError') await fail(entry, error);
  }
  pump();
}

/** The file is stored: from now on its state is the service's. */
export function settle(entry, info) {
  release(info.file_id);
  Object.assign(entry, { phase: null, upload: null, file: null, password: null, retry: null, samples: [] });
  update(entry, info);
  pump();
}

async function fail(entry, error) {
  const canResume = airlock.unfinished.find(entry.file) !== null;
  const isPermanent = error.status >= 400 && error.status < 500 && ![401, 408, 429].includes(error.status) && !error.isOfStorage;
  Object.assign(entry, { phase: isPermanent ? 'refused' : 'failed', upload: null, retry: null, code: error.code, failedWith: connection() });
  const why = problem(error, { file: entry.file, limits: limits() });
  const next = nextAfter(entry, canResume);
  entry.problem = isPermanent ? why : `${why} ${next}`;
  render();
  if (error.storageUrl) entry.problem = `${await explainStorage(error.storageUrl)} ${next}`;
  render();
}

function nextAfter({ failedWith, code }, canResume) {
  if (failedWith !== 'ok') return 'It is retried when the connection returns.';
  if (code === 'unauthorized') return 'The upload is then retried.';
  return canResume ? 'The uploaded parts are kept; “Retry” resumes the upload.' : '“Retry” sends the file again.';
}

onConnection((state) => {
  if (state === 'ok') retryAll(({ phase, failedWith }) => phase === 'failed' && failedWith !== 'ok');
});

async function showRetry(entry, error, { retry, retries }) {
  const show = (why) => { entry.retry = `${why} Retry ${retry} of ${retries} follows.`; render(); };
  show(problem(error));
  if (!error.storageUrl) return;
  const why = await explainStorage(error.storageUrl);
  if (entry.retry) show(why);
}

export function pause(entry) {
  entry.phase = 'paused';
  entry.upload.pause();
  entry.samples = [];
  pump();
}

/** Resumes an upload, once another one ends if as many are running as may. */
export function resume(entry) {
  if (batch.isHeld) continueUpload(entry);
  else entry.phase = 'queued';
  pump();
}

/** Pauses all uploads, and starts none that is queued. */
export function pauseAll() {
  batch.isHeld = true;
  [...entries].filter(({ phase }) => ['sending', 'preparing'].includes(phase)).forEach(pause);
}

export function resumeAll() {
  batch.isHeld = false;
  batch.samples = [];
  [...entries].filter(({ phase }) => phase === 'paused').forEach(resume);
  pump();
}

function continueUpload(entry) {
  entry.phase = 'sending';
  entry.upload.resume();
}

export function retry(entry) {
  const { fileId } = entry;
  // The entry of the failed attempt: nothing will arrive for it.
  if (fileId && airlock.unfinished.find(entry.file) === null) discard(fileId);
  forgetId(entry);
  Object.assign(entry, { phase: 'queued', problem: null, latest: null, loaded: 0, samples: [] });
  batch.entries.add(entry);
  pump();
}

export function retryAll(isWanted = ({ phase }) => phase === 'failed') {
  [...entries].filter(isWanted).forEach(retry);
}

/** Cancels uploads. Returns a function that queues their files again. */
export function cancel(cancelled) {
  const again = cancelled.map(({ file, path, password }) => ({ file: Object.assign(file, { path }), password }));
  for (const entry of cancelled) {
    const { upload, fileId } = entry;
    entry.upload = null;
    remove(entry);
    batch.entries.delete(entry);
    upload?.abort();
    if (fileId) release(fileId);
  }
  pump();
  return () => again.forEach(({ file, password }) => enqueue([file], password));
}

/** Removes the row of an upload that failed, and what it left at the service. */
export function dismiss(entry) {
  remove(entry);
  batch.entries.delete(entry);
  if (entry.fileId) discard(entry.fileId);
  render();
}

function discard(fileId) {
  release(fileId);
  airlock.delete(fileId).catch(() => { /* The service removes it after a day. */ });
}

// --- events about files whose ids are not known yet: until `POST /files` answers, an unknown file may be our own ---

let announcing = 0;
const unplaced = [];
let place = () => {};

/** `onEvent` gets the events that {@link postpone} kept, once the ids of all files are known. */
export const onPlaced = (onEvent) => { place = onEvent; };

/** Keeps an event about an unknown file while an upload is being created. Returns whether it did. */
export function postpone(event) {
  if (announcing > 0) unplaced.push(event);
  return announcing > 0;
}

async function announced(created, entry) {
  announcing += 1;
  try {
    const fileId = await created;
    if (!entries.has(entry)) return; // cancelled: the client deletes the file
    identify(entry, fileId);
    if (airlock.unfinished.find(entry.file) !== fileId) hold(fileId);
  } finally {
    announcing -= 1;
    if (announcing === 0) unplaced.splice(0).forEach(place);
  }
}
