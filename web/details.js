// The panel below a row: what was found, what to do, what the verdict is based on, and the link to the file.

import { count, formatAgo, formatDate, formatSeconds, formatSize, formatUntil } from './format.js';
import { isDownloadable, isUsedUp, nextStep, sentence } from './words.js';

const acts = {};

/** Sets what the buttons of the panel do: functions of the entry, by the names of the buttons' classes. */
export const defineDetails = (actions) => Object.assign(acts, actions);

const BUTTONS = ['create', 'once', 'revoke', 'rescan'];

/** Shows, updates or removes the panel of a row. */
export function showDetails(row, entry) {
  const panel = row.querySelector('.details');
  if (!entry.isOpen || entry.phase !== null) {
    panel?.remove();
    return;
  }
  const shown = panel ?? newPanel(row, entry);
  const { info } = entry;
  const part = (name) => shown.querySelector(`.${name}`);
  set(part('next'), `${sentence(info, entry.progress)} ${nextStep(info)}`);
  const facts = factsOf(entry);
  // Rebuilt only when something changed: a selection of text, such as of the SHA-256, stays.
  if (JSON.stringify(facts) !== shown.dataset.facts) {
    shown.dataset.facts = JSON.stringify(facts);
    shown.querySelector('dl').replaceChildren(...facts.flatMap(definition));
  }
  part('link').hidden = !entry.link;
  if (entry.link) {
    part('url').value = entry.link.url;
    set(part('lifetime'), lifetime(entry));
  }
  part('create').hidden = !isDownloadable(info);
  part('revoke').hidden = !['clean', 'released'].includes(info.scan_status);
  part('once').hidden = !['clean', 'released'].includes(info.scan_status);
  set(part('once'), info.max_downloads === undefined ? 'Limit to one more download' : 'Allow one more download');
  part('rescan').hidden = !['clean', 'released', 'unscannable', 'error'].includes(info.scan_status);
  part('rescan').disabled = Boolean(info.rescanning);
}

function lifetime({ link, info }) {
  if (isUsedUp(info)) return 'It does not work, because the limit of downloads is reached.';
  const left = info.max_downloads === undefined ? 'until then' : `, ${count(info.max_downloads - info.download_count, 'more time')} in all`;
  const use = `Anyone who has it can download the file ${left}.`.replace(' ,', ',');
  return `It expires ${formatUntil(link.expiresAt)} (${formatDate(link.expiresAt)}). ${use}`;
}

function newPanel(row, entry) {
  const panel = document.getElementById('details').content.firstElementChild.cloneNode(true);
  for (const name of BUTTONS) {
    panel.querySelector(`.${name}`).addEventListener('click', async () => {
      const outcome = panel.querySelector('.outcome');
      outcome.textContent = '';
      try {
        outcome.textContent = await acts[name](entry);
      } catch (error) {
        outcome.textContent = acts.explain(error, entry);
      }
    });
  }
  panel.querySelector('.url').addEventListener('focus', (event) => event.target.select());
  row.append(panel);
  return panel;
}

function definition([term, text, isCode]) {
  const [name, value] = [document.createElement('dt'), document.createElement('dd')];
  name.textContent = term;
  const holder = isCode ? value.appendChild(document.createElement('code')) : value;
  holder.textContent = text;
  return [name, value];
}

/** `[term, text, isCode]` of what is known about a file. */
function factsOf({ info }) {
  const { scan_result: result } = info;
  const definitions = result?.definitions;
  const kind = definitions?.kind === 'test_set' ? 'test definitions' : 'definitions';
  const since = definitions?.built_at ? `, built ${formatAgo(definitions.built_at)}` : '';
  const limit = info.max_downloads === undefined ? '' : ` of ${info.max_downloads} allowed`;
  return [
    ['Found', result?.signature, true],
    ['Reason', result?.reason, true],
    ['Release', info.release_reason],
    ['Release undone', info.release_revoked_reason],
    ['SHA-256', result?.sha256, true],
    ['Engine', result?.engine_version],
    ['Definitions', definitions && `${kind} ${definitions.version}${since}`],
    ['Archives read by', result?.openers?.join(', ')],
    ['Scanned', result && `${formatDate(result.scanned_at)}, in ${formatSeconds(result.scan_duration)}`],
    ['Password', result?.used_password ? 'The file was opened with the password that came with it.' : undefined],
    ['Uploaded', formatDate(info.upload_timestamp)],
    ['Size', formatSize(info.file_size)],
    ['Type', info.content_type],
    ['Expires', !['expired', 'deleted'].includes(info.scan_status) && `${formatUntil(info.expires_at)} (${formatDate(info.expires_at)})`],
    ['Downloads', `${info.download_count}${limit}`],
    ['File id', info.file_id, true],
  ].filter(([, text]) => text);
}

function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
