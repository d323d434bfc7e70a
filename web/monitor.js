// The monitor: the queue, the verdicts, scan times and failures. Refreshes every two seconds while it is visible.

import { formatSeconds, formatSize } from './format.js';
import { airlock, onSignIn } from './service.js';

const STATUSES = ['clean', 'infected', 'released', 'unscannable', 'error'];
const SIZES = { up_to_1_mb: 'up to 1 MB', up_to_10_mb: 'up to 10 MB', up_to_100_mb: 'up to 100 MB', larger: 'larger' };
const EVERY_MS = 2000;

const byId = (id) => document.getElementById(id);

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function svg(name, attributes, className) {
  const made = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (className) made.setAttribute('class', className);
  return made;
}

function showRows(tbody, rows, table, none) {
  byId(tbody).replaceChildren(...rows.map((cells) => {
    const row = element('tr');
    row.append(...cells.map((cell) => element('td', cell)));
    return row;
  }));
  if (table) byId(table).hidden = rows.length === 0;
  if (none) byId(none).hidden = rows.length > 0;
}

// --- current numbers ---

function tile(term, value, note, state = '') {
  const made = element('div', undefined, `tile ${state}`);
  made.append(element('dt', term), element('dd', value), element('dd', note ?? '', 'muted'));
  return made;
}

function showTiles({ queue, dead_letters: dead, engine, bytes_scanned: bytes, files_by_status: files }) {
  const total = Object.values(files).reduce((sum, n) => sum + n, 0);
  const age = engine?.definitions_age_hours;
  const isTestSet = engine?.definitions.kind === 'test_set';
  byId('tiles').replaceChildren(
    tile('Waiting', queue.waiting, queue.waiting > 0 ? `the oldest for ${formatSeconds(queue.oldest_seconds)}` : 'the queue is empty'),
    tile('In flight', queue.in_flight, queue.workers ? `${queue.workers} workers` : ''),
    tile('Dead letters', dead ?? '–', dead > 0 ? 'see below' : 'none', dead > 0 ? 'bad' : ''),
    tile('Files in 24 h', total, formatSize(bytes)),
    tile('Definitions', engine?.definitions.version ?? '–',
      isTestSet ? 'TEST SET: finds only test files' : age === null || age === undefined ? '' : `${age} h old`,
      isTestSet || age > 24 ? 'odd' : ''),
    tile('Engine', engine?.version.replace('ClamAV ', '') ?? 'none has reported',
      `${engine?.restarts ?? '–'} restart${engine?.restarts === 1 ? '' : 's'}`, engine ? '' : 'bad'),
  );
}

// --- the last day ---

function showChart(hours) {
  const width = 720 / hours.length;
  const totals = hours.map(({ files_by_status: files }) => STATUSES.reduce((sum, status) => sum + (files[status] ?? 0), 0));
  const highest = Math.max(1, ...totals);
  const bars = hours.flatMap(({ from, files_by_status: files }, at) => {
    const hour = new Date(from).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
    let top = 150;
    const parts = STATUSES.filter((status) => files[status]).map((status) => {
      const height = Math.max(1.5, (files[status] / highest) * 140);
      top -= height;
      const bar = svg('rect', { x: at * width + 2, y: top, width: width - 4, height, rx: 1 }, `bar ${status}`);
      bar.append(svg('title', {}));
      bar.firstChild.textContent = `${hour}: ${files[status]} ${status}`;
      return bar;
    });
    if (at % 4 === 0) {
      const label = svg('text', { x: at * width + 2, y: 170 }, 'axis');
      label.textContent = hour;
      parts.push(label);
    }
    return parts;
  });
  const base = svg('line', { x1: 0, x2: 720, y1: 150.5, y2: 150.5 }, 'axis');
  const scale = svg('text', { x: 2, y: 12 }, 'axis');
  scale.textContent = `highest: ${highest} in an hour`;
  byId('chart').replaceChildren(byId('chart-title'), base, ...bars, scale);
  const sum = totals.reduce((all, n) => all + n, 0);
  byId('chart-title').textContent = `${sum} verdicts in the last 24 hours, by the hour`;
}

function showLegend(files) {
  byId('legend').replaceChildren(...STATUSES.map((status) => {
    const item = element('li', undefined, status);
    item.append(element('span', undefined, 'swatch'), element('span', `${files[status] ?? 0} ${status}`));
    return item;
  }));
}

// --- failures ---

async function showDeadLetters(n) {
  byId('redrive').hidden = !n;
  const letters = n ? (await airlock.call('/dead-letters')).dead_letters : [];
  showRows('dead', letters.map(({ file_id: id, message_id: message, reason }) => [id ?? `message ${message}`, reason]),
    'dead-table', 'no-dead');
}

byId('redrive').addEventListener('click', async () => {
  byId('redrive').disabled = true;
  try {
    const { moved } = await airlock.call('/dead-letters/redrive', { method: 'POST' });
    byId('announcer').textContent = `${moved} sent again.`;
    await refresh();
  } catch (error) {
    showProblem(error.message);
  } finally {
    byId('redrive').disabled = false;
  }
});

function showProblem(text) {
  byId('notice').hidden = !text;
  byId('notice').textContent = text ?? '';
}

async function refresh() {
  const stats = await airlock.call('/stats');
  byId('at').textContent = new Date(stats.at).toLocaleTimeString();
  byId('at').dateTime = stats.at;
  showTiles(stats);
  showChart(stats.hours);
  showLegend(stats.files_by_status);
  showRows('times', stats.scan_seconds.map(({ size, count, p50, p95, p99 }) => (
    [SIZES[size] ?? size, count, formatSeconds(p50), formatSeconds(p95), formatSeconds(p99)])));
  showRows('failures', stats.recent_failures.map(({ at, file_id: id, status, reason }) => (
    [new Date(at).toLocaleString(), id, status, reason])), 'failures-table', 'no-failures');
  await showDeadLetters(stats.dead_letters);
}

let timer;

async function run() {
  clearTimeout(timer);
  let pause = EVERY_MS;
  if (!document.hidden) {
    try {
      await refresh();
      showProblem(null);
    } catch (error) {
      showProblem(error.status === 403 ? 'This token does not have the scope `admin`.' : error.status ? error.message : 'The service does not answer.');
      if (error.status === 401 || error.status === 403) {
        byId('sign-in').hidden = false;
        return; // `onSignIn` resumes with another token.
      }
      pause = EVERY_MS * 3;
    }
  }
  timer = setTimeout(run, pause);
}

onSignIn(run);
document.addEventListener('visibilitychange', () => { if (!document.hidden) run(); });
run();
