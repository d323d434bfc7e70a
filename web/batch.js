// The header of the queue: how much is done, what failed, how long the rest takes.

import { entries, isActive, isProblem, isUnfinished, speed, uploads } from './entries.js';
import { count, formatLeft, formatSize } from './format.js';
import { setText } from './rows.js';
import { batch } from './queue.js';
import { tally } from './words.js';

const WINDOW_MS = 15_000;
const byId = (id) => document.getElementById(id);

/** Counts of the current batch. Cancelled uploads do not belong to it. */
function numbers() {
  const all = [...batch.entries];
  const done = all.filter(({ phase }) => phase === null);
  const open = all.filter(isUnfinished);
  const sum = (list, size) => list.reduce((total, entry) => total + size(entry), 0);
  const loaded = sum(all, ({ phase, size, loaded: own }) => (phase === null ? size ?? 0 : own));
  return {
    n_all: all.length, done, n_open: open.length, n_failed: all.filter(isProblem).length, problems: problems(all), loaded,
    total: sum(all.filter((entry) => !isProblem(entry)), ({ size }) => size ?? 0), rate: sum(all.filter(isActive), (entry) => speed(entry)),
  };
}

// Large files are bounded by bytes, many small ones by the number of requests: the slower of both estimates holds.
function secondsLeft({ n_all: nAll, n_failed: nFailed, done, loaded, total }, now) {
  batch.samples = [...batch.samples.filter(([at]) => now - at < WINDOW_MS), [now, loaded, done.length]];
  const [from, before, nBefore] = batch.samples[0];
  const seconds = (now - from) / 1000;
  if (seconds < 2) return NaN;
  const ofBytes = (total - loaded) / ((loaded - before) / seconds);
  const nLeft = nAll - nFailed - done.length;
  const ofFiles = nLeft > 3 ? nLeft / ((done.length - nBefore) / seconds) : 0;
  return Math.max(ofBytes, Number.isFinite(ofFiles) ? ofFiles : 0);
}

export function showBatch() {
  const own = uploads();
  const is = numbers();
  byId('queue').hidden = own.length === 0 && is.n_all < 2;
  byId('batch').hidden = is.n_all < 2;
  const left = secondsLeft(is, performance.now());
  setText(byId('batch-text'), is.n_open > 0 ? running(is, left) : finished(is));
  byId('batch-progress').hidden = is.n_open === 0;
  byId('batch-progress').value = is.total > 0 ? Math.min(1, is.loaded / is.total) : 0;
  const has = (phases) => own.some(({ phase }) => phases.includes(phase));
  byId('pause-all').hidden = batch.isHeld || !has(['sending', 'preparing']) || is.n_open < 2;
  byId('resume-all').hidden = !(batch.isHeld || has(['paused'])) || is.n_open < 2;
  byId('cancel-all').hidden = is.n_open < 2;
  byId('retry-all').hidden = !has(['failed']);
  byId('clear').hidden = is.n_open > 0 || (is.n_all < 2 && !has(['failed', 'refused']));
  document.title = is.n_open > 0 ? `${is.done.length}/${is.n_all} · Airlock` : 'Airlock';
}

/** `2 failed · 1 not accepted` */
function problems(all) {
  const words = { failed: 'failed', refused: 'not accepted' };
  const n = (phase) => all.filter((entry) => entry.phase === phase).length;
  return Object.entries(words).filter(([phase]) => n(phase) > 0).map(([phase, word]) => `${n(phase)} ${word}`);
}

function running({ done, n_all: nAll, problems: failed, rate }, left) {
  const parts = [`${done.length.toLocaleString('en')} of ${count(nAll, 'file')} uploaded`];
  parts.push(...failed);
  if (batch.isHeld) return [...parts, 'paused'].join(' · ');
  if (rate > 0) parts.push(`${formatSize(rate)}/s`);
  return [...parts, formatLeft(left)].filter(Boolean).join(' · ');
}

function finished({ done, problems: failed }) {
  const statuses = tally(done.filter((entry) => entries.has(entry)).map(({ info }) => info.scan_status));
  return [`${count(done.length, 'file')} uploaded${statuses && ': '}${statuses}`, ...failed].join(' · ');
}
