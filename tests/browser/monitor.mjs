// The monitor shows what happens, in Chromium: numbers that change by themselves, failures with their reasons, dead letters that go again.
// Usage: node monitor.mjs PATH-OF-AIRLOCK [DIRECTORY-FOR-SCREENSHOTS]

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { Service, eicar, launch, looksRight, n_passed, sha256, shot, test, until } from './support.mjs';

const service = await Service.start({ env: { SAMPLE_DOWNLOADS: 'true' } });
const { url, directory } = service;
const browser = await launch();

async function upload(name, bytes) {
  const headers = { 'content-type': 'application/json' };
  const body = JSON.stringify({ filename: name, size: bytes.length });
  const accepted = await (await fetch(`${url}/files`, { method: 'POST', headers, body })).json();
  const { 'content-length': _, ...signed } = accepted.upload.headers;
  await fetch(accepted.upload.url, { method: 'PUT', headers: signed, body: bytes });
  for (;;) {
    const { file_info: info } = await (await fetch(`${url}/files/${accepted.file_id}/status`, { headers: { prefer: 'wait=5' } })).json();
    if (!['pending', 'scanning'].includes(info.scan_status)) return info;
  }
}

const reviewOf = (page, name) => page.locator('#review tr', { hasText: name });

const tile = (page, term) => page.locator('.tile', { has: page.locator('dt', { hasText: term }) }).locator('dd').first();

try {
  const context = await browser.newContext({ viewport: { width: 1000, height: 900 } });
  const page = await context.newPage();
  const problems = [];
  page.on('pageerror', (error) => problems.push(String(error)));
  page.on('console', (message) => { if (message.type() === 'error') problems.push(`${message.text()} ${message.location().url}`); });
  await page.goto(`${url}/monitor`);

  await test('an idle service is shown as one', async () => {
    await tile(page, 'Waiting').waitFor();
    await page.locator('#overall.odd', { hasText: 'Works, and needs attention' }).waitFor();
    await page.getByText('The engine has test definitions').waitFor();
    await page.getByText('No file of the last 24 hours needs a review.').waitFor();
    assert.match(await tile(page, 'Disk').textContent(), /GB$/);
    assert.match(await tile(page, 'Memory').textContent(), /MB$/);
    await page.getByText(/^service [\d.]+ MB, engine [\d.]+ MB; [\d.]+ GB of [\d.]+ GB are free$/).waitFor();
    assert.equal(await tile(page, 'Quotas').textContent(), 'none');
    assert.equal(await tile(page, 'Waiting').textContent(), '0');
    assert.equal(await tile(page, 'Dead letters').textContent(), '0');
    await page.getByText('TEST SET: finds only test files').waitFor();
    await page.getByText('None: no scan request failed too often.').waitFor();
  });

  await test('verdicts appear without a reload', async () => {
    for (let n = 0; n < 6; n += 1) await upload(`${n}.txt`, Buffer.from(`file ${n}`));
    await upload('bad.txt', eicar);
    const broken = await upload('broken.zip', Buffer.from('PK\x03\x04 this is not an archive that anybody could open'));
    assert.equal(broken.scan_status, 'unscannable');
    await page.waitForFunction(() => document.querySelector('#legend')?.innerText.replaceAll('\n', ' ') === '6 clean 1 infected 0 released 1 unscannable 0 error');
    assert.ok(await page.locator('#chart rect.bar.clean').count() > 0);
    assert.equal(await page.locator('#times tr').first().locator('td').nth(1).textContent(), '8');
    assert.match(await page.locator('#times tr').first().locator('td').nth(2).textContent(), /\d (ms|s)$/);
  });

  await test('what is not clean is listed for review, with its name, its owner and its reason', async () => {
    const row = reviewOf(page, 'broken.zip');
    await row.waitFor();
    const cells = await row.locator('td').allTextContents();
    assert.deepEqual([cells[1], cells[2], cells[3]], ['broken.zip', 'local', 'Unscannable']);
    assert.notEqual(cells[4], '');
    await row.getByRole('button', { name: 'Scan again broken.zip' }).click();
    await page.locator('#announcer', { hasText: 'broken.zip is scanned again' }).waitFor({ state: 'attached' });
    await page.waitForFunction(() => document.querySelector('#legend').innerText.includes('2 unscannable'));
    assert.equal(await page.locator('#review tr', { hasText: 'broken.zip' }).count(), 1, 'once, after two verdicts');
    assert.match(await reviewOf(page, 'bad.txt').textContent(), /Infected.*Eicar/);
  });

  await test('a file for review is opened on the page of files', async () => {
    const opened = await context.newPage();
    await opened.goto(await reviewOf(page, 'bad.txt').getByRole('link').evaluate((link) => link.href));
    await opened.locator('li.file', { hasText: 'bad.txt' }).locator('.details', { hasText: sha256(eicar) }).waitFor();
    await opened.close();
  });

  await test('an operator downloads a file that is not clean, as an encrypted zip, with a reason that is kept', async () => {
    await reviewOf(page, 'bad.txt').getByRole('button', { name: 'Download … bad.txt' }).click();
    await page.getByRole('dialog').getByText('whose password is “infected”').waitFor();
    await shot(page, 'monitor-download');
    await page.getByLabel('Reason, which is kept with your name').fill('to send it to the vendor');
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Download', exact: true }).click(),
    ]);
    assert.equal(download.suggestedFilename(), `${sha256(eicar)}.zip`);
    assert.deepEqual(execFileSync('7zz', ['x', '-so', '-pinfected', await download.path()]), eicar);
    const row = page.locator('#samples tr', { hasText: 'to send it to the vendor' });
    await row.waitFor();
    assert.match(await row.textContent(), /Eicar.*local/);
  });

  await test('an operator releases a finding, with a reason that is asked for', async () => {
    await reviewOf(page, 'bad.txt').getByRole('button', { name: 'Release … bad.txt' }).click();
    await page.getByRole('dialog').getByText('Eicar').waitFor();
    await shot(page, 'monitor-release');
    await page.getByRole('button', { name: 'Release', exact: true }).click();
    await page.getByText('Enter a reason').waitFor();
    await page.getByLabel('Reason, which is kept with your name').fill('a test of the monitor');
    await page.getByRole('button', { name: 'Release', exact: true }).click();
    await reviewOf(page, 'bad.txt').getByText('Released').waitFor();
    const { files } = await (await fetch(`${url}/files?status=released`)).json();
    assert.deepEqual(files.map(({ filename, release_reason: reason }) => [filename, reason]), [['bad.txt', 'a test of the monitor']]);
  });

  await test('the release is undone', async () => {
    await page.getByRole('button', { name: /^Undo …/ }).click();
    await page.getByLabel('Reason, which is kept with your name').fill('a test of the undo');
    await page.getByRole('button', { name: 'Undo release', exact: true }).click();
    await page.getByRole('cell', { name: /^undone/ }).waitFor();
    await until(async () => (await (await fetch(`${url}/files?status=infected`)).json()).files.length === 1);
  });

  await test('the chart has an axis, and a range that can be chosen', async () => {
    const labels = await page.locator('#chart text.end').allTextContents();
    assert.ok(labels[0] === '0' && Number(labels.at(-1)) >= 8, `${labels}`);
    await page.getByLabel('Range').selectOption('6');
    await page.locator('#chart-title', { hasText: 'in the last 6 hours' }).waitFor({ state: 'attached' });
  });

  await test('a dead letter shows its cause and is redelivered by a click', async () => {
    // An unreadable message, inserted directly as a dead letter.
    await service.end();
    const script = `import sqlite3, sys
c = sqlite3.connect(sys.argv[1])
c.execute("INSERT INTO dead_letters (id, message_id, body, n_received, died_at) VALUES (1000000, 'dead-1', '{not an event', 5, 0)")
c.commit()`;
    execFileSync('python3', ['-c', script, join(directory, 'data', 's3', 's3.db')]);
    await service.begin();
    const row = page.locator('#dead tr').first();
    await row.waitFor();
    assert.equal(await row.locator('td').nth(1).textContent(), 'the body is not an S3 event');
    await shot(page, 'monitor-light');
    await page.getByRole('button', { name: 'Send all again' }).click();
    await page.locator('#announcer', { hasText: '1 sent again.' }).waitFor({ state: 'attached' });
    await row.waitFor({ state: 'detached' });
    problems.splice(0, problems.length, ...problems.filter((text) => !text.includes('ERR_')));
  });

  await test('it looks right in the light, in the dark and on a phone', async () => {
    await looksRight(page, 'monitor');
    await page.setViewportSize({ width: 390, height: 844 });
    const cell = reviewOf(page, 'bad.txt').locator('td').nth(2);
    assert.equal(await cell.evaluate((shown) => getComputedStyle(shown, '::before').content), '"Owner"', 'a value says what it is');
    const letters = await page.locator('#chart text.axis').first().evaluate((text) => text.getBoundingClientRect().height);
    assert.ok(letters >= 9, `${letters} pixels are too small to read`);
    await page.setViewportSize({ width: 1000, height: 900 });
  });

  await test('without authority nothing is claimed', async () => {
    const secret = { JWT_SECRET: 'a secret of the tests that is long enough', JWT_ISSUER: 'https://issuer.test', JWT_AUDIENCE: 'airlock-test' };
    const guarded = await Service.start({ options: ['--auth', 'jwt'], env: secret });
    const stranger = await browser.newPage();
    await stranger.goto(`${guarded.url}/monitor`);
    await stranger.getByLabel('The monitor needs a token').waitFor();
    assert.equal(await stranger.locator('#figures').isVisible(), false);
    assert.doesNotMatch(await stranger.locator('main').innerText(), /none|clean|works/i);
    await stranger.close();
    await guarded.remove();
  });

  assert.deepEqual(problems, [], 'the console is quiet');
  console.log(`${n_passed} passed, 0 failed`);
} finally {
  await browser.close();
  await service.remove();
}
