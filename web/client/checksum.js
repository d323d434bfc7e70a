// SHA-256 of a part of a file, away from the page's own thread.

import { hexadecimal } from './checksum-worker.js';

/** Only secure contexts have it (https, or localhost). Without it, uploads go without checksums. */
export const hasChecksums = () => globalThis.crypto?.subtle !== undefined;

let worker = null;
let isWithoutWorker = false;
const waiting = new Map();
let n_asked = 0;

/** Hexadecimal. `blob` is read into memory. */
export async function sha256(blob) {
  const digest = ask(blob);
  return digest ? digest.catch(() => hexadecimal(blob)) : hexadecimal(blob);
}

// Bundlers recognise this form. Where a page's policy or another origin forbids workers, the page's thread does it: the digest itself is
// computed elsewhere by the browser in both cases.
function ask(blob) {
  if (isWithoutWorker || !globalThis.Worker) return null;
  try {
    worker ??= start();
  } catch {
    isWithoutWorker = true;
    return null;
  }
  n_asked += 1;
  const id = n_asked;
  return new Promise((resolve, reject) => {
    waiting.set(id, { resolve, reject });
    worker.postMessage({ id, blob });
  });
}

function start() {
  const started = new Worker(new URL('./checksum-worker.js', import.meta.url), { type: 'module' });
  started.onmessage = ({ data: { id, digest, error } }) => {
    const asked = waiting.get(id);
    waiting.delete(id);
    if (digest) asked?.resolve(digest);
    else asked?.reject(new Error(error));
  };
  started.onerror = () => {
    isWithoutWorker = true;
    for (const asked of waiting.values()) asked.reject(new Error('no worker'));
    waiting.clear();
  };
  return started;
}
