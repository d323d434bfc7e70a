// The files that the page knows: those of the service, and those that are being uploaded from here.

/** All entries, in the order in which the page got them. */
export const entries = new Set();
const byFileId = new Map();
let nextNumber = 0;

/**
 * `phase` is the state of an upload from this page, and `null` for a file of the service, whose state is `info`:
 * `queued`, `preparing`, `sending`, `completing`, `paused`, `failed` (can be retried) or `refused` (cannot).
 */
function add(fields) {
  nextNumber += 1;
  const entry = {
    number: nextNumber, phase: null, info: null, fileId: null, file: null, upload: null, progress: null,
    loaded: 0, samples: [], problem: null, retry: null, note: null, link: null, isOpen: false, isDeleted: false, ...fields,
  };
  entries.add(entry);
  return entry;
}

export const find = (fileId) => byFileId.get(fileId);

/** A file that was chosen for upload. */
export const addUpload = (file, password) => add({
  file, password, phase: 'queued', name: file.name, size: file.size, path: file.path ?? file.webkitRelativePath ?? '',
});

/** The entry of a file of the service, with its latest state. */
export function showInfo(info) {
  const entry = find(info.file_id) ?? add({});
  update(entry, info);
  return entry;
}

export function update(entry, info) {
  if (entry.info && entry.info.scan_status !== info.scan_status) {
    entry.note = null;
    if (!['clean', 'released'].includes(info.scan_status)) entry.link = null;
  }
  Object.assign(entry, { info, name: info.filename, size: info.file_size, time: Date.parse(info.upload_timestamp) });
  identify(entry, info.file_id);
}

export function identify(entry, fileId) {
  const other = byFileId.get(fileId);
  if (other && other !== entry) entries.delete(other);
  entry.fileId = fileId;
  byFileId.set(fileId, entry);
}

/** Events about the id that this entry had are no longer about it. */
export function forgetId(entry) {
  if (byFileId.get(entry.fileId) === entry) byFileId.delete(entry.fileId);
  entry.fileId = null;
}

export function remove(entry) {
  entries.delete(entry);
  if (byFileId.get(entry.fileId) === entry) byFileId.delete(entry.fileId);
}

/** Whether leaving the page would lose something of this upload. */
export const isUnfinished = ({ phase }) => ['queued', 'preparing', 'sending', 'completing', 'paused'].includes(phase);

export const isActive = ({ phase }) => ['preparing', 'sending', 'completing'].includes(phase);

export const isProblem = ({ phase }) => ['failed', 'refused'].includes(phase);

const RANKS = { preparing: 0, sending: 0, completing: 0, failed: 1, refused: 1, paused: 2, queued: 3 };

/** Uploads of this page: active ones first, then those that need attention, then the queue in its order. */
export function uploads() {
  const own = [...entries].filter(({ phase }) => phase !== null);
  return own.sort((a, b) => RANKS[a.phase] - RANKS[b.phase] || a.number - b.number);
}

/** Files of the service, newest first; with a status, only those. */
export function serviceFiles(status, oldest = -Infinity) {
  const isShown = ({ phase, info, isDeleted, isOpen, time }) => phase === null && !isDeleted && (time >= oldest || isOpen) && (!status || info.scan_status === status);
  return [...entries].filter(isShown).sort((a, b) => b.time - a.time || b.number - a.number);
}

/** Bytes per second, over the last few seconds. */
export function speed({ samples }, now = performance.now()) {
  const recent = samples.filter(([at]) => now - at < 6000);
  if (recent.length < 2) return 0;
  const [[from, before], [to, after]] = [recent[0], recent.at(-1)];
  return to - from < 300 ? 0 : Math.max(0, (after - before) / ((to - from) / 1000));
}

export function showLoaded(entry, loaded, now = performance.now()) {
  entry.loaded = loaded;
  entry.samples.push([now, loaded]);
  if (entry.samples.length > 200) entry.samples = entry.samples.filter(([at]) => now - at < 6000);
}
