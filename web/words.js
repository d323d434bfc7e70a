// What the page says about files and errors. The names of the states are those of the API and the command line.

import { explain } from './client/explain.js';
import { count, formatSeconds, formatSize } from './format.js';

export const STATUS_WORDS = {
  pending: 'Pending', scanning: 'Scanning', clean: 'Clean', infected: 'Infected', released: 'Released', unscannable: 'Unscannable',
  error: 'Error', expired: 'Expired', deleted: 'Deleted',
};

const isOfTestSet = (info) => info.scan_result?.definitions?.kind === 'test_set';

/** One sentence about a file's status, for its row. `progress` is the latest event of that name. */
export function sentence(info, progress) {
  const signature = info.scan_result?.signature ?? 'Malware';
  switch (info.scan_status) {
    case 'clean':
      if (isUsedUp(info)) return 'Its limit of downloads is reached.';
      return isOfTestSet(info) ? 'Checked with test definitions only.' : 'Nothing was found.';
    case 'released': return `${signature} was found; an operator released the file.`;
    case 'pending':
    case 'scanning': return progressSentence(info, progress);
    case 'expired': return 'Expired, and its bytes are removed.';
    default: return explain(info);
  }
}

function progressSentence(info, progress) {
  const { phase, elapsed_seconds: elapsed, estimated_seconds: estimated } = progress ?? {};
  const left = estimated === undefined ? '' : `, about ${formatSeconds(Math.max(estimated, 0.1))} left`;
  if (phase === 'waiting_for_upload') return 'The upload has not arrived.';
  if (info.scan_status === 'scanning') return elapsed === undefined ? 'Being scanned.' : `Being scanned for ${formatSeconds(elapsed)}${left}.`;
  return phase === 'queued' ? `In the queue for its scan${left}.` : 'Waiting for its upload or its scan.';
}

export const isUsedUp = (info) => info.max_downloads !== undefined && info.download_count >= info.max_downloads;

export const isDownloadable = (info) => ['clean', 'released'].includes(info.scan_status) && !isUsedUp(info);

const RESCAN = 'Choose “Scan again”. If that does not help, tell an operator.';
const NEXT_BY_REASON = {
  content_encoding: 'Upload the file again from this page, which sends no such header.',
  content_mismatch: 'Upload the file again.',
  empty: 'Check the original, and upload it again.',
  encrypted: 'Remove the password and upload the file again, or enter its password under “Files with a password” first.',
  engine_trouble: RESCAN,
  expands_too_much: 'Unpack it, and upload what is needed of its contents.',
  inspection_failed: RESCAN,
  malformed: 'Open the original, save it or pack it again, and upload the new copy.',
  scan_timeout: 'Upload its contents as several smaller files.',
  stale_definitions: 'The file itself may be fine. Once an operator has updated the virus definitions, choose “Scan again”.',
  storage_trouble: RESCAN,
  too_deep: 'Unpack the inner archives, and upload their contents.',
  too_large: 'Upload it in smaller pieces.',
  too_many_files: 'Divide it into several archives.',
  unsupported_container: 'Pack its contents as zip, and upload that.',
};

/** What the owner of the file can do now. */
export function nextStep(info) {
  switch (info.scan_status) {
    case 'clean':
      if (isUsedUp(info)) return 'Allow more downloads below, or delete the file.';
      return isOfTestSet(info)
        ? 'Do not rely on this verdict: the test definitions find test files only. Once an operator has installed the official definitions, choose “Scan again”.'
        : 'Download it, or give others a link.';
    case 'infected':
      return 'Do not open the original. Delete this file, and have the device that it comes from checked. If you are certain that it is a false alarm, send an operator the SHA-256: only an operator can release the file.';
    case 'released': return `The operator’s reason: ${info.release_reason ?? 'none was given'}. The finding stays. Open the file only if you trust that decision.`;
    case 'unscannable':
    case 'error': return NEXT_BY_REASON[info.scan_result?.reason] ?? RESCAN;
    case 'pending':
    case 'scanning': return 'Wait for the verdict. This page may be closed meanwhile, unless the file is still being uploaded from it.';
    default: return 'Upload the file again if you still need it.';
  }
}

const QUOTAS = {
  bytes: 'Your files use all the storage that you may use. Delete files that you no longer need.',
  files: 'You have as many files as you may have. Delete files that you no longer need.',
  'pending-uploads': 'You have as many unfinished uploads as you may have.',
  'scan-seconds': 'Your scans have used the time that you may use in a day.',
};

/** A row has room for no more types. */
const MAX_TYPES = 12;

function acceptedTypes({ acceptedExtensions: accepted = [] }, limits) {
  if (accepted.length === 0) return 'Ask an operator which types are.';
  if (accepted.length > MAX_TYPES && limits?.accepted_extensions) return 'See “Accepted types” above.';
  return `Accepted types: ${accepted.join(', ')}.`;
}

/** What an error means for the person at the page: what is wrong, and what to do next. `limits` are those of `/health`. */
export function problem(error, { file, limits } = {}) {
  const extension = /\.[^.]+$/.exec(file?.name ?? '')?.[0];
  const again = error.retryAfter ? `Retry in ${formatSeconds(error.retryAfter)}.` : 'Retry later.';
  switch (error.code) {
    case 'file_too_large': {
      const limit = limits?.max_file_size;
      const sizes = file && limit ? `Too large: ${formatSize(file.size)}; the limit is ${formatSize(limit)}.` : 'The file is too large.';
      return `${sizes} Upload it in smaller pieces.`;
    }
    case 'extension_not_allowed':
      return `${extension ? `Files of the type ${extension}` : 'Files without an extension'} are not accepted. ${acceptedTypes(error, limits)}`;
    case 'file_empty': return 'The file is empty. Check the original.';
    case 'filename_too_long': return 'The file’s name is too long. Rename it and upload it again.';
    case 'passwords_not_accepted': return 'This service accepts no passwords. Remove the password from the file and upload it again.';
    case 'quota_exceeded': return `${QUOTAS[error.reason] ?? 'You have reached your quota.'} ${again}`;
    case 'storage_full': return `The service’s disk is full, and nothing was stored. ${again}`;
    case 'unavailable': return `A part of the service is down. ${again}`;
    case 'internal_error': return `The service failed. Report this to an operator${error.requestId ? `, with the request id ${error.requestId}` : ''}.`;
    case 'unauthorized': return 'The service did not accept the token. Enter another one above.';
    case 'download_limit_reached': return 'Its limit of downloads is reached.';
    case 'network': return error.storageUrl ? error.message : 'The service does not answer.';
    default: return error.message.replaceAll('`', '');
  }
}

/** `480 clean, 12 infected`, in the order of the states. */
export function tally(statuses) {
  const known = Object.keys(STATUS_WORDS).filter((status) => statuses.includes(status));
  return known.map((status) => `${statuses.filter((each) => each === status).length} ${status}`).join(', ');
}

export const files = (n) => count(n, 'file');
