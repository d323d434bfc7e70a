// The monitor shows what happens, in Chromium: numbers that change by themselves, failures with their reasons, dead letters that go again.
// Usage: node monitor.mjs PATH-OF-AIRLOCK [DIRECTORY-FOR-SCREENSHOTS]

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { Service, eicar, launch, n_passed, shot, test } from './support.mjs';

const service = await Service.start();
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

const tile = (page, term) => page.locator('.tile', { has: page.locator('dt', { hasText: term }) }).locator('dd').first();

try {
  const context = await browser.newContext({ viewport: { width: 1000, height: 900 } });
  const page = await context.newPage();
  const problems = [];
  page.on('pageerror', (error) => problems.push(String(error)));
  page.on('console', (message) => { if (message.type() === 'error') problems.push(message.text()); });
  await page.goto(`${url}/monitor`);

  await test('an idle service is shown as one', async () => {
    await tile(page, 'Waiting').waitFor();
    assert.equal(await tile(page, 'Waiting').textContent(), '0');
    assert.equal(await tile(page, 'Dead letters').textContent(), '0');
    await page.getByText('TEST SET: finds only test files').waitFor();
    await page.getByText('None: every scan request was processed.').waitFor();
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

  await test('a failure has its reason', async () => {
    const row = page.locator('#failures tr').first();
    await row.waitFor();
    assert.equal(await row.locator('td').nth(2).textContent(), 'unscannable');
    assert.notEqual(await row.locator('td').nth(3).textContent(), '');
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

  await test('it looks right in the dark and on a phone', async () => {
    await page.emulateMedia({ colorScheme: 'dark' });
    await shot(page, 'monitor-dark');
    await page.setViewportSize({ width: 400, height: 800 });
    const overflows = await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
    assert.equal(overflows, false);
    await shot(page, 'monitor-phone');
  });

  assert.deepEqual(problems, [], 'the console is quiet');
  console.log(`${n_passed} passed, 0 failed`);
} finally {
  await browser.close();
  await service.remove();
}
