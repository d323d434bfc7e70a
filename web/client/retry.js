// Retries calls after transient failures.

import { AirlockError, aborted } from './errors.js';

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;

export function sleep(ms, signal) {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(aborted());
    const stop = () => { clearTimeout(timer); reject(aborted()); };
    const timer = setTimeout(() => { signal?.removeEventListener('abort', stop); resolve(); }, ms);
    return signal?.addEventListener('abort', stop, { once: true });
  });
}

// Browsers know when there is no network at all; waiting for it does not count as an attempt.
function online(signal) {
  if (globalThis.navigator?.onLine !== false) return Promise.resolve();
  return new Promise((resolve, reject) => {
    globalThis.addEventListener('online', resolve, { once: true, signal });
    signal?.addEventListener('abort', () => reject(aborted()), { once: true });
  });
}

const isTransient = (error) =>
  error instanceof AirlockError && (error.status === 0 || error.status === 408 || error.status === 429 || error.status >= 500);

/**
 * Calls `attempt` until it succeeds, fails permanently, or was retried `retries` times. Pauses grow from half a second to half
 * a minute, with jitter, so that clients do not return simultaneously; `Retry-After` is respected. `onRetry` gets the error
 * and the number of the retry before each pause.
 */
export async function retrying(attempt, { retries, signal, isTemporary = () => false, onRetry = () => {} }) {
  for (let failures = 0; ; failures += 1) {
    await online(signal);
    if (signal?.aborted) throw aborted();
    try {
      return await attempt();
    } catch (error) {
      if (failures >= retries || !(isTransient(error) || isTemporary(error))) throw error;
      onRetry(error, { retry: failures + 1, retries });
      const pause = Math.min(FIRST_PAUSE_MS * 2 ** failures, LONGEST_PAUSE_MS) * (0.5 + Math.random() / 2);
      await sleep(Math.max(pause, (error.retryAfter ?? 0) * 1000), signal);
    }
  }
}
