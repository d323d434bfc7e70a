// Tells screen readers what happened, in groups, and shows short notices that can undo what was done.

import { files, tally, STATUS_WORDS } from './words.js';

const GROUP_MS = 1500;
const TOAST_MS = 8000;
const MAX_TOASTS = 3;
const byId = (id) => document.getElementById(id);

const waiting = { texts: [], verdicts: [] };
let timer = null;

const flushSoon = () => { timer ??= setTimeout(flush, GROUP_MS); };

export function announce(text) {
  waiting.texts.push(text);
  flushSoon();
}

/** Many verdicts in a short time become one sentence. */
export function announceVerdict(info, text) {
  waiting.verdicts.push({ name: info.filename, status: info.scan_status, text });
  flushSoon();
}

function flush() {
  timer = null;
  const verdicts = waiting.verdicts.splice(0);
  const spoken = verdicts.length > 2
    ? [`Verdicts of ${files(verdicts.length)}: ${tally(verdicts.map(({ status }) => status))}.`]
    : verdicts.map(({ name, status, text }) => `${name}: ${STATUS_WORDS[status]}. ${text}`);
  byId('announcer').textContent = [...waiting.texts.splice(0).slice(-3), ...spoken].join(' ');
}

/**
 * Shows a notice for a few seconds, longer while it is pointed at or has the focus. `undo` adds a button; `onEnd` is called when the
 * notice goes without it.
 */
export function toast(text, { undo, onEnd = () => {} } = {}) {
  const element = byId('toast').content.firstElementChild.cloneNode(true);
  element.querySelector('.text').textContent = text;
  const button = element.querySelector('.undo');
  button.hidden = !undo;
  let timeout;
  const end = (act) => { clearTimeout(timeout); element.remove(); act(); };
  const start = () => { timeout = setTimeout(() => end(onEnd), TOAST_MS); };
  element.finish = () => end(onEnd);
  button.addEventListener('click', () => end(undo));
  element.querySelector('.close').addEventListener('click', element.finish);
  for (const name of ['pointerenter', 'focusin']) element.addEventListener(name, () => clearTimeout(timeout));
  for (const name of ['pointerleave', 'focusout']) element.addEventListener(name, () => { clearTimeout(timeout); start(); });
  byId('toasts').append(element);
  while (byId('toasts').children.length > MAX_TOASTS) byId('toasts').firstElementChild.finish();
  start();
  announce(text);
}
