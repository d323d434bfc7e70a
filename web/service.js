// Shared by both pages: the client with the user's token, and the stream of events.

import { problemOf } from './client/errors.js';
import { Airlock, AirlockError } from './client/index.js';

const byId = (id) => document.getElementById(id);
const token = () => sessionStorage.getItem('token');

class PageAirlock extends Airlock {
  async call(path, options) {
    try {
      return await super.call(path, options);
    } catch (error) {
      if (error.status === 401) askForToken();
      throw error;
    }
  }
}

export const airlock = new PageAirlock({ token });

/** Calls the API for a file instead of JSON, and has the browser save it as `name`. */
export async function saveAs(name, path, body) {
  const headers = { 'content-type': 'application/json', ...(token() && { authorization: `Bearer ${token()}` }) };
  const response = await fetch(path, { method: 'POST', headers, body: JSON.stringify(body) }).catch(() => {
    throw new AirlockError('The service does not answer.');
  });
  if (response.status === 401) askForToken();
  if (!response.ok) throw await problemOf(response);
  const bytes = await response.blob().catch(() => {
    throw new AirlockError('The service ended its answer early. Retry; if that does not help, read its log.');
  });
  const link = document.createElement('a');
  link.href = URL.createObjectURL(bytes);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

let health = null;

/** Asks for the state of the service; `null` if it does not answer. */
export async function askHealth() {
  const response = await fetch('/health', { cache: 'no-store' }).catch(() => null);
  const answer = await response?.json().catch(() => null) ?? null;
  health = answer ?? health;
  return answer;
}

/** The limits for uploads, if they are known. */
export const limits = () => health?.uploads ?? null;

// --- the token ---

/** Shows the field for the token, and `why` beside it if there was one already. */
export function askForToken(why = 'The service did not accept this token. It may have expired, or be meant for another service.') {
  const problem = token() ? why : '';
  byId('sign-in').hidden = false;
  byId('token-problem').textContent = problem;
  byId('token').setAttribute('aria-invalid', String(problem !== ''));
}

/** Calls `begin` again once the user has entered a token. */
export function onSignIn(begin) {
  byId('sign-in').addEventListener('submit', (event) => {
    event.preventDefault();
    const entered = byId('token').value.trim();
    if (entered === '') {
      byId('token-problem').textContent = 'Paste a token first.';
      return;
    }
    sessionStorage.setItem('token', entered);
    byId('sign-in').hidden = true;
    begin();
  });
}

/** Deletes a file although the page is closing. */
export function deleteWhileClosing(fileId) {
  const headers = token() ? { authorization: `Bearer ${token()}` } : {};
  fetch(`/files/${fileId}`, { method: 'DELETE', headers, keepalive: true }).catch(() => { /* The page is gone. */ });
}

// --- events ---

/** The service sends a comment every 15 seconds; a stream that is silent for longer is dead. */
const SILENCE_MS = 45_000;
let wake = () => {};
addEventListener('online', () => wake());

const pauseOf = (ms) => new Promise((resolve) => { wake = resolve; setTimeout(resolve, ms); });

/**
 * Server-sent events by fetch, because EventSource sends no token. Reconnects forever, and resumes after the last event. `onState`
 * gets whether the service answers. Ends when the service wants another token.
 */
export async function follow(path, onEvent, onState = () => {}) {
  let lastEventId = null;
  for (let pause = 500; ; pause = Math.min(pause * 2, 10_000)) {
    const stop = new AbortController();
    let isOpen = false;
    try {
      const headers = { accept: 'text/event-stream', ...(token() && { authorization: `Bearer ${token()}` }) };
      if (lastEventId) headers['last-event-id'] = lastEventId;
      const response = await fetch(path, { headers, cache: 'no-store', signal: stop.signal });
      if (response.status === 401) { askForToken(); return; }
      if (!response.ok) throw new AirlockError(`The service answered ${response.status}.`);
      isOpen = true;
      onState(true);
      for await (const { id, data } of events(response.body, stop)) {
        pause = 500;
        lastEventId = id ?? lastEventId;
        onEvent(JSON.parse(data));
      }
    } catch (error) {
      if (!(error instanceof TypeError || error instanceof AirlockError || error.name === 'AbortError')) throw error;
    }
    // A stream may end by itself, for example at a proxy: the service is lost only if it does not open again.
    if (!isOpen) onState(false);
    await pauseOf(pause);
  }
}

async function* events(body, stop) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = ''; ;) {
    const silence = setTimeout(() => stop.abort(), SILENCE_MS);
    const { value, done } = await reader.read().finally(() => clearTimeout(silence));
    if (done) return;
    text += value;
    const blocks = text.split('\n\n');
    text = blocks.pop();
    for (const block of blocks) {
      const fields = Object.fromEntries(block.split('\n').map((line) => line.split(/: (.*)/s)));
      if (fields.data) yield { id: fields.id, data: fields.data };
    }
  }
}
