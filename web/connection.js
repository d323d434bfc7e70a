// Finds out why nothing arrives: no network, no service, no storage, or a storage that does not allow this page.

let isConnected = true;
const listeners = new Set();

export const onConnection = (listener) => listeners.add(listener);

/** `offline`: the browser has no network; `down`: the service does not answer; `ok`. */
export function connection() {
  if (navigator.onLine === false) return 'offline';
  return isConnected ? 'ok' : 'down';
}

/** Called with each change of the stream of events. */
export function setConnected(connected) {
  isConnected = connected;
  changed();
}

const changed = () => listeners.forEach((listener) => listener(connection()));
for (const name of ['online', 'offline']) addEventListener(name, changed);

export const CONNECTION_TEXTS = {
  offline: 'You are offline. Uploads continue, and this list is updated, when the network returns.',
  down: 'The connection to the service is lost. Reconnecting. Uploads continue when the service answers.',
};

const answers = (url, options) => fetch(url, { cache: 'no-store', credentials: 'omit', signal: AbortSignal.timeout(5000), ...options })
  .then(() => true, () => false);

/** Says why storage could not be reached, as far as a page can find out. */
export async function explainStorage(storageUrl) {
  if (navigator.onLine === false) return 'You are offline.';
  if (!await answers('/health')) return 'The service does not answer.';
  if (!await answers(storageUrl, { mode: 'no-cors' })) return `The storage at ${storageUrl} does not answer.`;
  if (await answers(storageUrl, { mode: 'cors' })) return 'The connection to storage was lost during the upload.';
  return `The storage at ${storageUrl} does not allow uploads from this page (CORS). An operator must add ${location.origin} to ALLOWED_ORIGINS.`;
}
