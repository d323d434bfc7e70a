// SHA-256 of a part of a file, computed off the page's own thread.

import { hexadecimal } from './checksum-worker.js';

/** Only secure contexts have it (https, or localhost). Without it, uploads have no checksums. */
export const hasChecksums = () => globalThis.crypto?.subtle !== undefined;

/** A worker that does not report by then that it works is not used: some servers answer every unknown path with a page. */
const READY_WITHIN_MS = 3000;

let worker = null; // a promise of a working worker, or of null
const waiting = new Map();
let n_asked = 0;

/** Returns the digest in hexadecimal. Reads `blob` into memory. */
export async function sha256(blob) {
  worker ??= start();
  const started = await worker;
  // In both cases the browser computes the digest itself on another thread.
  if (!started) return hexadecimal(blob);
  n_asked += 1;
  const id = n_asked;
  const digest = new Promise((resolve, reject) => { waiting.set(id, { resolve, reject }); });
  started.postMessage({ id, blob });
  return digest.catch(() => hexadecimal(blob));
}

// Resolves to null if there are no workers, if a page's policy or another origin forbids them, or if a bundler did not find the file.
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
