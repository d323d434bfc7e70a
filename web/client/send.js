// Sends bytes to storage.

import { AirlockError, aborted } from './errors.js';

/** A connection without progress for this long is closed. */
const STALLED_MS = 60_000;

/**
 * PUTs `body` as `instructions` say. Resolves once storage has it. Uses XMLHttpRequest where available, because fetch reports no upload progress.
 */
export function send({ url, headers = {} }, body, { signal, onProgress = () => {} } = {}) {
  // The browser sets it, from the body.
  const sent = Object.entries(headers).filter(([name]) => name !== 'content-length');
  return globalThis.XMLHttpRequest ? byXhr(url, sent, body, signal, onProgress) : byFetch(url, sent, body, signal, onProgress);
}

const lost = (url) => new AirlockError('The connection to storage was lost.', { storageUrl: new URL(url).origin });

function refused(status, text) {
  const code = /<Code>(\w+)<\/Code>/.exec(text)?.[1] ?? 'unknown';
  return new AirlockError(`Storage refused the upload (${status}, ${code}).`, { status, code, isOfStorage: true });
}

function byXhr(url, headers, body, signal, onProgress) {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(aborted());
    const request = new XMLHttpRequest();
    let stalled;
    const moved = () => { clearTimeout(stalled); stalled = setTimeout(() => request.abort(), STALLED_MS); };
    const stop = () => { reject(aborted()); request.abort(); };
    request.open('PUT', url);
    for (const [name, value] of headers) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => { moved(); onProgress(event.loaded); };
    request.onload = () => (request.status < 300 ? resolve() : reject(refused(request.status, request.responseText)));
    request.onerror = () => reject(lost(url));
    request.onabort = () => reject(lost(url));
    request.onloadend = () => { clearTimeout(stalled); signal?.removeEventListener('abort', stop); };
    signal?.addEventListener('abort', stop, { once: true });
    moved();
    return request.send(body);
  });
}

async function byFetch(url, headers, body, signal, onProgress) {
  const response = await fetch(url, { method: 'PUT', headers, body, signal }).catch(() => {
    throw signal?.aborted ? aborted() : lost(url);
  });
  if (!response.ok) throw refused(response.status, await response.text());
  onProgress(body.size);
}
