// What a row shows: decided in one place from the entry's state, so that no event can overwrite an error.

import { isActive, speed } from './entries.js';
import { formatAgo, formatLeft, formatSize } from './format.js';
import { isDownloadable, sentence, STATUS_WORDS } from './words.js';

const UPLOAD_WORDS = {
  queued: 'Queued', preparing: 'Preparing', sending: 'Uploading', completing: 'Uploading', paused: 'Paused', failed: 'Upload failed',
  refused: 'Not accepted',
};

const UPLOAD_ACTIONS = {
  queued: ['cancel'], preparing: ['pause', 'cancel'], sending: ['pause', 'cancel'], completing: ['cancel'], paused: ['resume', 'cancel'],
  failed: ['retry', 'dismiss'], refused: ['dismiss'],
};

/**
 * `{ kind, badge, message, meta, fraction, actions }`. `connection` is `ok`, `offline` or `down`; `interrupted`
 * is the unfinished upload of this file that an earlier page began.
 */
export function describe(entry, connection, interrupted) {
  return entry.phase === null ? describeFile(entry, interrupted) : describeUpload(entry, connection);
}

function describeUpload(entry, connection) {
  const { phase, size, loaded, path } = entry;
  const folder = path.split('/').slice(0, -1).join('/');
  return {
    kind: phase,
    badge: isWaiting(entry, connection) ? 'Waiting' : UPLOAD_WORDS[phase],
    message: uploadMessage(entry, connection),
    meta: [formatSize(size), folder && `from ${folder}`].filter(Boolean).join(' · '),
    fraction: ['sending', 'completing', 'paused'].includes(phase) ? loaded / Math.max(size, 1) : null,
    actions: UPLOAD_ACTIONS[phase],
  };
}

// Bytes may still move to storage while the service itself does not answer.
const isWaiting = (entry, connection) => isActive(entry) && speed(entry) === 0 && (connection !== 'ok' || entry.retry !== null);

function uploadMessage(entry, connection) {
  const { phase, problem, retry, loaded, size } = entry;
  switch (phase) {
    case 'failed':
    case 'refused': return problem;
    case 'queued': return entry.upload ? 'Resumes when another upload ends.' : 'Waiting for its turn.';
    case 'paused': return pausedMessage(entry);
    default:
  }
  if (isWaiting(entry, connection)) {
    if (connection === 'offline') return 'You are offline. The upload continues when the network returns.';
    return retry ?? 'The service does not answer. The upload continues when it does.';
  }
  if (phase === 'preparing') return 'Computing its checksum.';
  if (phase === 'completing') return 'Sent. Waiting for the service.';
  const rate = speed(entry);
  const parts = [`${Math.floor((100 * loaded) / Math.max(size, 1))} %`];
  if (rate > 0) parts.push(`${formatSize(rate)}/s`, formatLeft((size - loaded) / rate));
  return parts.join(' · ');
}

// A part in transit is not stored, so pausing drops it: `loaded` then counts only what storage has confirmed.
function pausedMessage({ loaded, size }) {
  if (loaded === 0) return 'Nothing is stored yet. The upload starts again when you resume it.';
  return `${formatSize(loaded)} of ${formatSize(size)} are stored and kept. The rest is sent when you resume it.`;
}

function describeFile(entry, interrupted) {
  const { info, note, progress } = entry;
  const isWaiting = info.scan_status === 'pending' && interrupted;
  const isJudged = !['pending', 'scanning', 'expired', 'deleted'].includes(info.scan_status);
  const downloads = info.download_count ? ` · ${info.download_count} download${info.download_count === 1 ? '' : 's'}` : '';
  const message = isWaiting ? `Choose ${interrupted.name} again to resume: the uploaded parts are kept for a day.` : sentence(info, progress);
  return {
    kind: info.scan_status,
    badge: isWaiting ? 'Interrupted' : STATUS_WORDS[info.scan_status] ?? info.scan_status,
    message: note?.text ?? (isJudged && info.rescanning ? `${message} Being scanned again.` : message),
    meta: `${formatSize(info.file_size)} · ${formatAgo(info.upload_timestamp)}${downloads}`,
    fraction: null,
    actions: [...(isDownloadable(info) ? ['download', 'copy'] : []), ...(info.scan_status === 'deleted' ? [] : ['delete'])],
  };
}
