// What the buttons of rows and panels do.

import { announce, toast } from './announce.js';
import { entries, remove, update } from './entries.js';
import { render } from './list.js';
import * as queue from './queue.js';
import { airlock, deleteWhileClosing, limits } from './service.js';
import { problem } from './words.js';

const NOTE_MS = 6000;

/** Files whose deletion can still be undone. */
const deleting = new Set();

function note(entry, text, isProblem = false) {
  const own = { text, isProblem };
  entry.note = own;
  announce(text);
  render();
  // What went wrong stays until the next action on this file.
  if (!isProblem) setTimeout(() => { if (entry.note === own) { entry.note = null; render(); } }, NOTE_MS);
}

/** Shows why an action failed, in the row of its file. */
export const explainFailure = (error, entry) => problem(error, { file: { name: entry.name, size: entry.size }, limits: limits() });

// Each call is made once: an answer to a click must not come minutes later, when the service is back.
const call = (entry, path, method = 'GET', body = undefined) => airlock.call(`/files/${entry.fileId}${path}`, { method, body });

async function link(entry) {
  const { download_url: path, expires_at: expiresAt, file_info: info } = await call(entry, '/download-link');
  update(entry, info);
  return { url: new URL(path, location.href).href, expiresAt };
}

export const rowActions = {
  pause: queue.pause,
  resume: queue.resume,
  retry: queue.retry,
  dismiss: queue.dismiss,
  cancel: (entry) => cancelAll([entry]),
  async download(entry) {
    const anchor = document.createElement('a');
    anchor.href = (await link(entry)).url;
    anchor.download = '';
    anchor.click();
    setTimeout(() => refresh(entry), 1500);
  },
  async copy(entry) {
    entry.link = await link(entry);
    await navigator.clipboard.writeText(entry.link.url);
    note(entry, 'Link copied. Anyone who has it can download this file.');
  },
  delete(entry) {
    entry.isDeleted = true;
    deleting.add(entry);
    render();
    toast(`${entry.name} deleted.`, { undo: () => restore(entry), onEnd: () => deleteNow(entry) });
  },
  open(entry) {
    entry.isOpen = !entry.isOpen;
    render();
  },
  problem: (entry, error) => note(entry, explainFailure(error, entry), true),
};

export function cancelAll(cancelled) {
  const again = queue.cancel(cancelled);
  const what = cancelled.length === 1 ? `${cancelled[0].name} cancelled.` : `${cancelled.length} uploads cancelled.`;
  toast(what, { undo: again });
}

function restore(entry) {
  deleting.delete(entry);
  entry.isDeleted = false;
  announce(`${entry.name} restored.`);
  render();
}

async function deleteNow(entry) {
  if (!deleting.has(entry)) return;
  try {
    await airlock.call(`/files/${entry.fileId}`, { method: 'DELETE' });
    airlock.unfinished.forgetId(entry.fileId);
    remove(entry);
    deleting.delete(entry);
  } catch (error) {
    restore(entry);
    note(entry, `Not deleted. ${explainFailure(error, entry)}`, true);
  }
  render();
}

/** Deletes what could still be restored, because the page closes. */
export const deleteAllNow = () => deleting.forEach((entry) => deleteWhileClosing(entry.fileId));

async function refresh(entry) {
  const info = await call(entry, '').catch(() => null); // an event brings the same, later
  if (info) update(entry, info);
  render();
}

/** Downloads by others cause no event, so the files whose panels are open are asked about. */
export function refreshOpen() {
  if (!document.hidden) [...entries].filter(({ isOpen, phase }) => isOpen && phase === null).forEach(refresh);
}

/** Each returns what to say in the panel. */
export const detailActions = {
  async create(entry) {
    entry.link = await link(entry);
    render();
    return 'A link is created.';
  },
  async once(entry) {
    update(entry, await call(entry, '', 'PATCH', { max_downloads: entry.info.download_count + 1 }));
    render();
    return 'One more download is allowed, by any link. Then the file stays, but cannot be downloaded.';
  },
  async revoke(entry) {
    await call(entry, '/links', 'DELETE');
    entry.link = null;
    render();
    return 'All links to this file are revoked.';
  },
  async rescan(entry) {
    update(entry, await call(entry, '/rescan', 'POST'));
    render();
    return 'The scan is requested. The verdict stands until it is over.';
  },
  explain: explainFailure,
};
