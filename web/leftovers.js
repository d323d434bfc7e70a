// Uploads that a closed page left behind: small files, of which nothing is stored and nothing can be resumed. Their entries at the
// service are removed when a page opens. Which uploads still run in other tabs is known by the browser's locks.

const PREFIX = 'airlock:sending:';
const held = new Map();
const openedAt = Date.now();

/** Remembers that this page is sending a small file. */
export function hold(fileId) {
  try {
    localStorage.setItem(PREFIX + fileId, '');
  } catch {
    return; // Forbidden or full: the service removes the entry after a day.
  }
  navigator.locks?.request(PREFIX + fileId, () => new Promise((release) => { held.set(fileId, release); })).catch(() => {});
}

/** Forgets it again: the file is stored, or removed. */
export function release(fileId) {
  try {
    localStorage.removeItem(PREFIX + fileId);
  } catch { /* As in `hold`. */ }
  held.get(fileId)?.();
  held.delete(fileId);
}

/** Whether a page that is closed by now was sending this file. */
export async function isAbandoned(fileId) {
  try {
    if (localStorage.getItem(PREFIX + fileId) === null || !navigator.locks) return false;
  } catch {
    return false;
  }
  const { held: locks } = await navigator.locks.query();
  return !locks.some(({ name }) => name === PREFIX + fileId);
}

/** Whether the last bytes of a closed page have had the time to arrive. */
export const hasSettled = () => Date.now() - openedAt > 3000;
