// Sizes, durations and times in units that people read.

export function formatSize(bytes) {
  if (bytes === null || bytes === undefined) return 'size unknown';
  if (bytes === 1) return '1 byte';
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

/** A remaining time, rounded so that it does not flicker. */
export function formatLeft(seconds) {
  if (!Number.isFinite(seconds)) return '';
  if (seconds < 10) return 'a few seconds left';
  if (seconds < 60) return `${Math.ceil(seconds / 10) * 10} s left`;
  return seconds < 5400 ? `${Math.ceil(seconds / 60)} min left` : `${Math.ceil(seconds / 3600)} h left`;
}

export const count = (n, noun, plural = `${noun}s`) => `${n.toLocaleString('en')} ${n === 1 ? noun : plural}`;

const SPANS = [[60, 1, 's'], [3600, 60, 'min'], [86_400, 3600, 'h'], [Infinity, 86_400, 'day']];

function span(seconds) {
  const [, unit, name] = SPANS.find(([limit]) => seconds < limit);
  const n = Math.round(seconds / unit);
  return name === 'day' ? count(n, 'day') : `${n} ${name}`;
}

/** `3 min ago`, or the date if that is more than a week ago. */
export function formatAgo(time, now = Date.now()) {
  const seconds = (now - Date.parse(time)) / 1000;
  if (seconds < 10) return 'just now';
  return seconds > 7 * 86_400 ? new Date(time).toLocaleDateString() : `${span(seconds)} ago`;
}

/** `in 7 days`, or `now`. */
export function formatUntil(time, now = Date.now()) {
  const seconds = (Date.parse(time) - now) / 1000;
  return seconds < 1 ? 'now' : `in ${span(seconds)}`;
}

export const formatDate = (time) => new Date(time).toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' });
