// Shared by both pages: the client with the user's token, and the stream of events.

import { Airlock, AirlockError } from './client/index.js';

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

function askForToken() {
  document.getElementById('sign-in').hidden = false;
}

// Calls `begin` again once the user has entered a token.
export function onSignIn(begin) {
  document.getElementById('sign-in').addEventListener('submit', (event) => {
    event.preventDefault();
    sessionStorage.setItem('token', document.getElementById('token').value.trim());
    document.getElementById('sign-in').hidden = true;
    begin();
  });
}

// Server-sent events by fetch, because EventSource sends no token. Reconnects forever, and resumes after the last event.
export async function follow(path, onEvent, onState = () => {}) {
  let lastEventId = null;
  for (let pause = 500; ; pause = Math.min(pause * 2, 10_000)) {
    try {
      const headers = { accept: 'text/event-stream', ...(token() && { authorization: `Bearer ${token()}` }) };
      if (lastEventId) headers['last-event-id'] = lastEventId;
      const response = await fetch(path, { headers, cache: 'no-store' });
      if (response.status === 401) { askForToken(); return; }
      if (!response.ok) throw new AirlockError(`The service answered ${response.status}.`);
      onState(true);
      for await (const { id, data } of events(response.body)) {
        pause = 500;
        lastEventId = id ?? lastEventId;
        onEvent(JSON.parse(data));
      }
    } catch (error) {
      if (!(error instanceof TypeError || error instanceof AirlockError)) throw error;
    }
    onState(false);
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = ''; ;) {
    const { value, done } = await reader.read();
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

export function formatSize(bytes) {
  if (bytes === null || bytes === undefined) return 'size unknown';
  const units = ['bytes', 'KB', 'MB', 'GB', 'TB'];
  let unit = 0;
  while (bytes >= 1000 && unit < units.length - 1) { bytes /= 1000; unit += 1; }
  return `${unit === 0 ? bytes : bytes.toFixed(1)} ${units[unit]}`;
}

export function formatSeconds(seconds) {
  if (seconds === null || seconds === undefined) return '–';
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 90) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}
