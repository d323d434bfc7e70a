// The monitor: the overall state, the queue, the verdicts, and the files that an operator should look at. Refreshes every two seconds
// while it is visible.

import { askReason } from './ask.js';
import { byId, element, fillTable } from './dom.js';
import { showChart, showOverall, showTiles } from './figures.js';
import { count, formatAgo, formatDate, formatSeconds } from './format.js';
import { airlock, askForToken, askHealth, onSignIn, saveAs } from './service.js';
import { problem, STATUS_WORDS } from './words.js';

const SIZES = { up_to_1_mb: 'up to 1 MB', up_to_10_mb: 'up to 10 MB', up_to_100_mb: 'up to 100 MB', larger: 'larger' };
/** A file may have become clean, or been deleted, since. */
const FOR_REVIEW = ['infected', 'released', 'unscannable', 'error'];
const EVERY_MS = 2000;
let latest = null;

const say = (text) => { byId('announcer').textContent = text; };

function showProblem(text) {
  byId('notice').hidden = !text;
  byId('notice').textContent = text ?? '';
}

/** What an action failed with stays until the next action. */
function showFailed(error) {
  byId('failed').hidden = error === null;
  byId('failed').textContent = error ? problem(error) : '';
}

/** A button that calls the API, says what came of it, and refreshes the figures. */
function actionButton(label, name, act) {
  const button = element('button', label);
  button.type = 'button';
  button.setAttribute('aria-label', `${label} ${name}`);
  button.addEventListener('click', async () => {
    button.disabled = true;
    showFailed(null);
    try {
      const outcome = await act();
      if (outcome) say(outcome);
      await refresh();
    } catch (error) {
      showFailed(error);
    } finally {
      button.disabled = false;
    }
  });
  return button;
}

function group(...buttons) {
  const made = element('div', undefined, 'actions');
  made.append(...buttons);
  return made;
}

function when(time) {
  const made = element('time', formatAgo(time));
  made.dateTime = time;
  made.title = formatDate(time);
  return made;
}

// --- files for review ---

async function release({ file_id: id, filename, reason, sha256 }) {
  const name = filename ?? id;
  const why = await askReason({
    title: `Release ${name}?`, action: 'Release',
    text: `${reason} was found in it. These bytes can then be downloaded, in every file that has them, now and later. Release them only if the finding is wrong.`,
  });
  if (why === null) return null;
  await airlock.call(`/files/${id}/release`, { method: 'POST', body: { sha256, reason: why } });
  return `${name} is released.`;
}

async function rescan({ file_id: id, filename }) {
  const { scan_status: status } = await airlock.call(`/files/${id}/rescan`, { method: 'POST' });
  return `${filename ?? id} is scanned again; until then it stays ${status}.`;
}

async function download({ file_id: id, filename, reason, sha256 }) {
  const name = filename ?? id;
  const why = await askReason({
    title: `Download ${name}?`, action: 'Download',
    text: `It is not clean (${reason}). It comes in an encrypted zip whose password is “infected”; examine it where it can do no harm.`,
  });
  if (why === null) return null;
  await saveAs(`${sha256}.zip`, `/files/${id}/sample`, { sha256, reason: why });
  return `${name} is downloaded.`;
}

function reviewRow(failure) {
  const { at, file_id: id, filename, owner, status, reason, is_own: isOwn } = failure;
  const name = element(isOwn ? 'a' : 'span', filename ?? id);
  name.title = id;
  if (isOwn) name.href = `/#file=${id}`;
  const badge = element('span', STATUS_WORDS[status] ?? status, `badge ${status}`);
  const actions = [];
  if (status === 'infected' && failure.sha256) actions.push(actionButton('Release …', filename ?? id, () => release(failure)));
  if (['unscannable', 'error'].includes(status) && isOwn) actions.push(actionButton('Scan again', filename ?? id, () => rescan(failure)));
  if (latest.gives_samples && failure.sha256) actions.push(actionButton('Download …', filename ?? id, () => download(failure)));
  return [when(at), name, owner, badge, reason, group(...actions)];
}

// --- releases ---

const short = (sha256) => { const made = element('code', `${sha256.slice(0, 12)}…`); made.title = sha256; return made; };

async function revoke({ sha256, signature }) {
  const why = await askReason({
    title: 'Undo this release?', action: 'Undo release',
    text: `Every file with these bytes becomes infected again (${signature}), and its links stop working.`,
  });
  if (why === null) return null;
  const { files_changed: changed, files_remaining: left } = await airlock.call(`/releases/${sha256}/revoke`, { method: 'POST', body: { reason: why } });
  const more = left > 0 ? ` ${count(left, 'more file')} can no longer be downloaded; undo again to mark them.` : '';
  return `The release is undone; ${count(changed, 'file')} changed.${more}`;
}

function releaseRow(entry) {
  const { released_at: at, signature, sha256, reason, released_by: by, revoked_at: revokedAt, revoked_by: revokedBy, revoke_reason: why } = entry;
  const state = revokedAt ? `undone ${formatAgo(revokedAt)} by ${revokedBy}: ${why}` : group(actionButton('Undo …', signature, () => revoke(entry)));
  return [when(at), signature, short(sha256), reason, by, state];
}

// --- downloads of samples ---

const sampleRow = ({ downloaded_at: at, finding, sha256, reason, downloaded_by: by, owner }) => [when(at), finding, owner, short(sha256), reason, by];

function showSamples(samples) {
  byId('samples-section').hidden = !latest.gives_samples && samples.length === 0;
  fillTable('samples', samples.map(sampleRow), [Math.floor(Date.now() / 60_000), samples]);
}

async function listReleases() {
  return (await airlock.call('/releases?limit=50')).releases;
}

// --- webhooks and dead letters ---

function webhookRow({ id, host, disabled_at: disabledAt, last_failure: failure }) {
  const enable = actionButton('Enable', host, async () => {
    await airlock.call(`/webhooks/${id}/enable`, { method: 'POST' });
    return `${host} is enabled.`;
  });
  return [host, disabledAt ? `disabled ${formatAgo(disabledAt)}` : 'enabled', failure ?? 'none', disabledAt ? group(enable) : ''];
}

async function showDeadLetters(n) {
  byId('redrive').hidden = !n;
  const letters = n ? (await airlock.call('/dead-letters')).dead_letters : [];
  fillTable('dead', letters.map(({ file_id: id, message_id: message, reason }) => [id ?? `message ${message}`, reason]), letters);
}

byId('redrive').addEventListener('click', async () => {
  byId('redrive').disabled = true;
  showFailed(null);
  try {
    const { moved } = await airlock.call('/dead-letters/redrive', { method: 'POST' });
    say(`${moved} sent again.`);
    await refresh();
  } catch (error) {
    showFailed(error);
  } finally {
    byId('redrive').disabled = false;
  }
});

// --- refreshing ---

const drawChart = () => { if (latest) showChart(latest.hours, Number(byId('range').value)); };

async function refresh() {
  const [stats, health, { webhooks }, releases, { samples }] = await Promise.all([
    airlock.call('/stats'), askHealth(), airlock.call('/webhooks'), listReleases(), airlock.call('/samples?limit=50'),
  ]);
  latest = stats;
  byId('at').textContent = new Date(stats.at).toLocaleTimeString();
  byId('at').dateTime = stats.at;
  byId('figures').hidden = false;
  showOverall(stats, health, webhooks);
  showTiles(stats);
  drawChart();
  const minute = Math.floor(Date.now() / 60_000); // the times are relative
  // Newest first: after a rescan, only the last verdict of a file.
  const isNewest = ({ file_id: id }, at, all) => all.findIndex((other) => other.file_id === id) === at;
  const review = stats.recent_failures.filter(({ status }) => FOR_REVIEW.includes(status)).filter(isNewest);
  fillTable('review', review.map(reviewRow), [minute, review, stats.gives_samples]);
  fillTable('releases', releases.map(releaseRow), [minute, releases]);
  showSamples(samples);
  fillTable('times', stats.scan_seconds.map(({ size, count: n, p50, p95, p99 }) => (
    [SIZES[size] ?? size, String(n), formatSeconds(p50), formatSeconds(p95), formatSeconds(p99)])), stats.scan_seconds);
  fillTable('webhooks', webhooks.map(webhookRow), [minute, webhooks]);
  await showDeadLetters(stats.dead_letters);
}

let timer;

// Without authority nothing is claimed: the figures are hidden, not empty.
function refuse(error) {
  byId('figures').hidden = true;
  askForToken(error.status === 403 ? 'This token does not have the scope admin.' : undefined);
}

async function run() {
  clearTimeout(timer);
  let pause = EVERY_MS;
  if (!document.hidden) {
    try {
      await refresh();
      showProblem(null);
    } catch (error) {
      if (error.status === 401 || error.status === 403) {
        refuse(error);
        return; // `onSignIn` resumes with another token.
      }
      const since = latest ? ` These figures are of ${new Date(latest.at).toLocaleTimeString()}.` : '';
      showProblem(`${error.status ? problem(error) : 'The service does not answer. Retrying.'}${since}`);
      pause = EVERY_MS * 3;
    }
  }
  timer = setTimeout(run, pause);
}

byId('range').addEventListener('change', drawChart);
addEventListener('resize', drawChart);
onSignIn(run);
document.addEventListener('visibilitychange', () => { if (!document.hidden) run(); });
run();
