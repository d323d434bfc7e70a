// What both pages need to talk to the service: calls with the token, and its events as they happen.

export class Problem extends Error {
  constructor(status, body) {
    super(body.detail ?? body.message ?? `The service answered ${status}.`);
    this.status = status;
  }
}

function withToken(headers) {
  const token = sessionStorage.getItem('token');
  return token ? { ...headers, authorization: `Bearer ${token}` } : headers;
}

export async function call(path, { headers = {}, ...options } = {}) {
  const response = await fetch(path, { ...options, headers: withToken(headers) });
  if (response.status === 401) askForToken();
  if (!response.ok) throw new Problem(response.status, await response.json().catch(() => ({})));
  return response.status === 204 ? null : response.json();
}

function askForToken() {
  document.getElementById('sign-in').hidden = false;
}

// Calls `begin` again once there is a token.
export function onSignIn(begin) {
  document.getElementById('sign-in').addEventListener('submit', (event) => {
    event.preventDefault();
    sessionStorage.setItem('token', document.getElementById('token').value.trim());
    document.getElementById('sign-in').hidden = true;
    begin();
  });
}

// Server-sent events by fetch, because EventSource sends no token. Comes back for ever, from where it was.
export async function follow(path, onEvent, onState = () => {}) {
  let lastEventId = null;
  for (let pause = 500; ; pause = Math.min(pause * 2, 10_000)) {
    try {
      const headers = withToken({ accept: 'text/event-stream' });
      if (lastEventId) headers['last-event-id'] = lastEventId;
      const response = await fetch(path, { headers, cache: 'no-store' });
      if (response.status === 401) { askForToken(); return; }
      if (!response.ok) throw new Problem(response.status, {});
      onState(true);
      for await (const { id, data } of events(response.body)) {
        pause = 500;
        lastEventId = id ?? lastEventId;
        onEvent(JSON.parse(data));
      }
    } catch (error) {
      if (!(error instanceof TypeError || error instanceof Problem)) throw error;
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
