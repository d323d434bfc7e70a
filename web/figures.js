// The monitor's figures: the overall state, the tiles and the chart.

import { byId, element, svg } from './dom.js';
import { count, formatSeconds, formatSize, formatUntil } from './format.js';

const STATUSES = ['clean', 'infected', 'released', 'unscannable', 'error'];
const LONG_WAIT_SECS = 300;

// --- the overall state ---

/** `[severity, text]` of all that an operator should know. */
function findings({ queue, dead_letters: dead, engine }, health, webhooks) {
  const found = [];
  const say = (severity, text) => found.push([severity, text]);
  if (!health) say('bad', 'The service does not report its health.');
  for (const part of ['storage', 'ledger']) if (health?.[part] === 'down') say('bad', `The ${part} is down.`);
  if (health?.queue.status === 'down') say('bad', 'The queue is down.');
  if (!engine || health?.engine.status === 'down') say('bad', 'No engine reports: uploaded files wait for their scan.');
  if (health?.disk?.status === 'full') say('bad', health.disk.detail);
  if (health?.engine.definitions_freshness === 'stale') say('bad', 'The virus definitions are out of date: files become unscannable.');
  if (engine?.definitions.kind === 'test_set') say('odd', 'The engine has test definitions, which find test files only.');
  if (health?.engine.definitions_freshness === 'ageing') say('odd', 'The virus definitions are more than a day old.');
  if (dead > 0) say('odd', `${count(dead, 'scan request')} failed too often. Send them again below.`);
  if (queue.oldest_seconds > LONG_WAIT_SECS) say('odd', `A file has waited for its scan for ${formatSeconds(queue.oldest_seconds)}.`);
  const disabled = webhooks.filter(({ disabled_at: at }) => at).length;
  if (disabled > 0) say('odd', `${count(disabled, 'webhook endpoint')} disabled.`);
  return found;
}

export function showOverall(stats, health, webhooks) {
  const found = findings(stats, health, webhooks);
  const worst = found.some(([severity]) => severity === 'bad') ? 'bad' : found.length > 0 ? 'odd' : 'good';
  byId('overall').className = `overall ${worst}`;
  const titles = { good: 'Everything works', odd: 'Works, and needs attention', bad: 'Something is broken' };
  if (byId('overall-heading').textContent !== titles[worst]) byId('overall-heading').textContent = titles[worst];
  byId('overall-reasons').replaceChildren(...found.map(([, text]) => element('li', text)));
}

// --- tiles ---

function tile(term, value, note, state = '') {
  const made = element('div', undefined, `tile ${state}`);
  made.append(element('dt', term), element('dd', value), element('dd', note ?? '', 'muted'));
  made.children[1].title = value;
  return made;
}

const totalOf = (files) => Object.values(files).reduce((sum, n) => sum + n, 0);
let samples = [];

/** `[value, note]`: the verdicts of the last minute, or since this page is open. */
function rateOf(total) {
  const now = performance.now();
  if (samples.length > 0 && total < samples.at(-1)[1]) samples = []; // an hour left the statistics
  samples = [...samples.filter(([at]) => now - at < 60_000), [now, total]];
  const [from, before] = samples[0];
  const seconds = Math.round((now - from) / 1000);
  if (seconds === 0) return ['–', 'being measured'];
  return seconds < 55 ? [total - before, `verdicts in the last ${seconds} s`] : [`${total - before} / min`, 'verdicts in the last minute'];
}

/** `[value, note]`: the set in use, its age, and when this service looks for the next one. */
function definitionsOf(engine) {
  const { definitions, definitions_age_hours: age, next_update: next } = engine ?? {};
  if (definitions?.kind === 'test_set') return [definitions.version, 'TEST SET: finds only test files'];
  const notes = [typeof age === 'number' ? `${age} h old` : '', next ? `next update ${formatUntil(next)}` : ''];
  return [definitions?.version ?? '–', notes.filter(Boolean).join('; ')];
}

/** `[value, note, state]`; on AWS each function has its own memory. */
function memoryOf(memory) {
  if (!memory) return ['–', 'not on this machine'];
  const { service, engine, available, total } = memory;
  const parts = engine === null ? 'the engine does not run, or its memory cannot be read' : `service ${formatSize(service)}, engine ${formatSize(engine)}`;
  const left = available === null ? '' : `; ${formatSize(available)} of ${formatSize(total)} are free`;
  return [formatSize(service + engine), parts + left, available !== null && available < total / 20 ? 'odd' : ''];
}

function quotasOf({ pending_uploads: pending, files, bytes, scan_seconds_per_day: seconds }) {
  const limits = [
    pending !== null && count(pending, 'pending upload'), files !== null && count(files, 'file'),
    bytes !== null && formatSize(bytes), seconds !== null && `${formatSeconds(seconds)} of scans a day`,
  ].filter(Boolean);
  return limits.length > 0 ? [count(limits.length, 'limit'), `each user: ${limits.join(', ')}`] : ['none', 'users have no limits'];
}

export function showTiles({ queue, dead_letters: dead, engine, memory, disk, quotas, bytes_scanned: bytes, files_by_status: files }) {
  const isOld = engine?.definitions.kind === 'test_set' || engine?.definitions_age_hours > 24;
  byId('tiles').replaceChildren(
    tile('Waiting', queue.waiting, queue.waiting > 0 ? `the oldest for ${formatSeconds(queue.oldest_seconds)}` : 'the queue is empty'),
    tile('In flight', queue.in_flight, queue.workers ? count(queue.workers, 'worker') : ''),
    tile('Rate', ...rateOf(totalOf(files))),
    tile('Verdicts in 24 h', totalOf(files).toLocaleString('en'), `${formatSize(bytes)} scanned`),
    tile('Dead letters', dead ?? '–', dead > 0 ? 'see below' : 'none', dead > 0 ? 'odd' : ''),
    tile('Definitions', ...definitionsOf(engine), isOld ? 'odd' : ''),
    tile('Engine', engine?.version ?? 'none has reported', engine?.restarts === null || !engine ? '' : count(engine.restarts, 'restart'), engine ? '' : 'bad'),
    tile('Disk', disk ? formatSize(disk.free) : '–', disk ? `free; scans need ${formatSize(disk.needed)}` : 'not on this machine', disk && disk.free < disk.needed ? 'bad' : ''),
    tile('Memory', ...memoryOf(memory)),
    tile('Quotas', ...quotasOf(quotas)),
  );
}

// --- the chart ---

const LEFT = 44;
const [TOP, BASE] = [10, 168];

/** The least of 1, 2, 4, 5, 10, 20, ... that is not below the highest bar. */
function ceilingOf(highest) {
  for (let unit = 1; ; unit *= 10) {
    const found = [1, 2, 4, 5, 8].map((n) => n * unit).find((n) => n >= highest);
    if (found) return found;
  }
}

const clock = (time) => new Date(time).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });

export function showChart(allHours, nHours) {
  const hours = allHours.slice(-nHours);
  // As wide as it is shown, so that its text has the size of other text.
  const full = Math.max(280, byId('chart').parentElement.clientWidth - 34);
  byId('chart').setAttribute('viewBox', `0 0 ${full} 200`);
  const width = (full - LEFT) / hours.length;
  const totals = hours.map(({ files_by_status: files }) => totalOf(files));
  const ceiling = ceilingOf(Math.max(1, ...totals));
  const y = (n) => BASE - (n / ceiling) * (BASE - TOP);
  const ticks = ceiling === 1 ? [0, 1] : [0, ceiling / 2, ceiling];
  const axis = ticks.flatMap((tick) => [
    svg('line', { x1: LEFT, x2: full, y1: y(tick) + 0.5, y2: y(tick) + 0.5 }, tick === 0 ? 'axis' : 'grid'),
    svg('text', { x: LEFT - 6, y: y(tick) + 4 }, 'axis end', tick.toLocaleString('en')),
  ]);
  const bars = hours.flatMap(({ from, files_by_status: files }, at) => {
    const x = LEFT + at * width;
    const title = `${clock(from)}: ${STATUSES.filter((status) => files[status]).map((status) => `${files[status]} ${status}`).join(', ') || 'none'}`;
    let sum = 0;
    const parts = STATUSES.filter((status) => files[status]).map((status) => {
      sum += files[status];
      const bar = svg('rect', { x: x + 2, y: y(sum), width: width - 4, height: Math.max(1.5, y(sum - files[status]) - y(sum)), rx: 1.5 }, `bar ${status}`);
      bar.append(svg('title', {}, '', title));
      return bar;
    });
    const isLabelled = at % Math.ceil(hours.length / (full < 500 ? 3 : 6)) === 0;
    return isLabelled ? [...parts, svg('text', { x: x + 2, y: 186 }, 'axis', clock(from))] : parts;
  });
  byId('chart').replaceChildren(byId('chart-title'), ...axis, ...bars);
  byId('chart-title').textContent = `${totals.reduce((all, n) => all + n, 0)} verdicts in the last ${nHours} hours, by the hour; at most ${Math.max(...totals)} in an hour`;
  showLegend(hours);
}

function showLegend(hours) {
  const n = (status) => hours.reduce((sum, { files_by_status: files }) => sum + (files[status] ?? 0), 0);
  byId('legend').replaceChildren(...STATUSES.map((status) => {
    const item = element('li');
    item.append(element('span', undefined, `swatch ${status}`), element('span', `${n(status).toLocaleString('en')} ${status}`));
    return item;
  }));
}
