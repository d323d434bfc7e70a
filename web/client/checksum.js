// SHA-256 of a part of a file, away from the page's own thread.

import { hexadecimal } from './checksum-worker.js';

/** Only secure contexts have it (https, or localhost). Without it, uploads go without checksums. */
export const hasChecksums = () => globalThis.crypto?.subtle !== undefined;

/** A worker that does not say by then that it works is done without: some servers answer every unknown path with something. */
const READY_WITHIN_MS = 3000;

let worker = null; // a promise of one that works, or of null
const waiting = new Map();
let n_asked = 0;

/** Hexadecimal. `blob` is read into memory. */
export async function sha256(blob) {
  worker ??= start();
  const started = await worker;
  // The digest itself is computed elsewhere by the browser in both cases.
  if (!started) return hexadecimal(blob);
  n_asked += 1;
  const id = n_asked;
  const digest = new Promise((resolve, reject) => { waiting.set(id, { resolve, reject }); });
  started.postMessage({ id, blob });
  return digest.catch(() => hexadecimal(blob));
}

// Where there are no workers, a page's policy or another origin forbids them, or a bundler did not find the file, there is null.
function start() {
  return new Promise((resolve) => {
    if (!globalThis.Worker) return resolve(null);
    try {
      // Bundlers recognise this form.
      const started = new Worker(new URL('./checksum-worker.js', import.meta.url), { type: 'module' });
      const timer = setTimeout(() => { started.terminate(); resolve(null); }, READY_WITHIN_MS);
      started.onmessage = ({ data }) => {
        clearTimeout(timer);
        if (data.isReady) resolve(started);
        else answer(data);
      };
      started.onerror = () => {
        clearTimeout(timer);
        resolve(null);
        for (const asked of waiting.values()) asked.reject(new Error('the worker failed'));
        waiting.clear();
      };
    } catch {
      resolve(null);
    }
    return undefined;
  });
}

function answer({ id, digest, error }) {
  const asked = waiting.get(id);
  waiting.delete(id);
  if (digest) asked?.resolve(digest);
  else asked?.reject(new Error(error));
}
