// The queue of uploads: 1,000 files stay fluid, paused ones free their place, deletes and cancels can be undone, the keyboard keeps its place,
// and each file has a panel with its verdict, its bytes and its links. Usage: node queue.mjs PATH-OF-AIRLOCK [DIRECTORY-FOR-SCREENSHOTS]

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Service, badge, eicar, inEveryLook, launch, looksRight, n_passed, pseudorandom, rowOf, sha256, shot, test, throttle, until } from './support.mjs';

const MB = 1_000_000;
const SLOW = 2 * MB;
const service = await Service.start();
const { url, directory } = service;
const browser = await launch();

const file = (name, size, seed) => {
  const path = join(directory, name);
  writeFileSync(path, pseudorandom(size, seed));
  return path;
};
const text = (name, content = name) => ({ name, mimeType: '', buffer: Buffer.from(content) });
const listed = async () => (await (await fetch(`${url}/files?limit=100`)).json()).files;
const button = (page, name) => page.getByRole('button', { name, exact: true });
const focusIsOn = (page, label) => until(async () => await page.evaluate(() => document.activeElement.getAttribute('aria-label')) === label);

try {
  const context = await browser.newContext({ viewport: { width: 1000, height: 800 } });
  await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: url });
  const page = await context.newPage();
  await page.goto(url);

  await test('an empty page looks right', async () => {
    await page.locator('#empty', { hasText: 'No files yet.' }).waitFor();
    await looksRight(page, 'empty');
  });

  await test('paused uploads hold no place in the queue, and queued ones can be cancelled', async () => {
    const free = await throttle(page, SLOW);
    const large = [1, 2, 3].map((n) => file(`large-${n}.bin`, 30 * MB, n));
    await page.locator('#picker').setInputFiles([...large, file('next.bin', MB, 4), file('unwanted.bin', MB, 5)]);
    for (const n of [1, 2, 3]) await badge(page, `large-${n}.bin`, 'Uploading').waitFor();
    await badge(page, 'next.bin', 'Queued').waitFor();
    await button(page, 'Cancel unwanted.bin').click();
    await rowOf(page, 'unwanted.bin').waitFor({ state: 'detached' });
    for (const n of [1, 2, 3]) await button(page, `Pause large-${n}.bin`).click();
    await badge(page, 'next.bin', 'Clean').waitFor();
    await free();
    await button(page, 'Resume all').click();
    for (const n of [1, 2, 3]) await badge(page, `large-${n}.bin`, 'Clean').waitFor();
    await page.locator('#batch-text', { hasText: '4 files uploaded: 4 clean' }).waitFor();
    assert.ok((await listed()).every(({ filename }) => filename !== 'unwanted.bin'));
    await button(page, 'Clear').click();
    await page.locator('#queue').waitFor({ state: 'hidden' });
  });

  await test('an upload says how far it is, how fast, and how long it takes', async () => {
    const free = await throttle(page, SLOW);
    await page.locator('#picker').setInputFiles(file('measured.bin', 30 * MB, 6));
    await rowOf(page, 'measured.bin').locator('.message').filter({ hasText: /^\d+ % · \d+\.\d [KM]B\/s · .+ left$/ }).waitFor();
    await free();
    await badge(page, 'measured.bin', 'Clean').waitFor();
  });

  await test('the keyboard keeps its place after a pause, a resume, a cancel and a delete', async () => {
    const free = await throttle(page, SLOW);
    await page.locator('#picker').setInputFiles(file('keys.bin', 30 * MB, 7));
    await badge(page, 'keys.bin', 'Uploading').waitFor();
    await button(page, 'Pause keys.bin').focus();
    await page.keyboard.press('Enter');
    await focusIsOn(page, 'Resume keys.bin');
    await page.keyboard.press('Enter');
    await focusIsOn(page, 'Pause keys.bin');
    await button(page, 'Cancel keys.bin').focus();
    await page.keyboard.press('Enter');
    await rowOf(page, 'keys.bin').waitFor({ state: 'detached' });
    await until(() => page.evaluate(() => document.activeElement !== document.body));
    await free();
    await button(page, 'Delete measured.bin').focus();
    await page.keyboard.press('Enter');
    await rowOf(page, 'measured.bin').waitFor({ state: 'detached' });
    await until(() => page.evaluate(() => document.activeElement.closest('li.file') !== null));
  });

  await test('a delete can be undone', async () => {
    await page.locator('.toast', { hasText: 'measured.bin deleted.' }).getByRole('button', { name: 'Undo' }).click();
    await rowOf(page, 'measured.bin').waitFor();
    await page.reload();
    await badge(page, 'measured.bin', 'Clean').waitFor();
    await button(page, 'Delete measured.bin').click();
    await page.reload(); // what could still be undone is carried out
    await until(async () => (await listed()).every(({ filename }) => filename !== 'measured.bin'));
    await rowOf(page, 'measured.bin').waitFor({ state: 'detached' });
  });

  await test('a file has a panel: what was found, what to do, its bytes, and its links', async () => {
    await page.locator('#picker').setInputFiles([text('good.txt'), { name: 'bad.pdf', mimeType: '', buffer: eicar }]);
    await badge(page, 'good.txt', 'Clean').waitFor();
    await badge(page, 'bad.pdf', 'Infected').waitFor();
    await button(page, 'bad.pdf').click();
    const bad = rowOf(page, 'bad.pdf').locator('.details');
    await bad.getByText('Do not open the original.').waitFor();
    for (const [term, value] of [['Found', 'Eicar'], ['SHA-256', sha256(eicar)], ['Engine', 'ClamAV'], ['Definitions', 'test definitions'], ['Expires', 'in 7 days'], ['Downloads', '0']]) {
      await bad.locator(`dt:has-text("${term}") + dd`, { hasText: value }).waitFor();
    }
    assert.equal(await bad.getByRole('button', { name: 'Scan again' }).isVisible(), false, 'a finding is not scanned away');
    await button(page, 'good.txt').click();
    const good = rowOf(page, 'good.txt').locator('.details');
    await good.getByRole('button', { name: 'Create a link' }).click();
    await good.getByText('It expires in 24 h').waitFor();
    const link = await good.getByLabel('Link').inputValue();
    assert.equal((await fetch(link, { method: 'HEAD' })).status, 200);
    await looksRight(page, 'details');
    await good.getByRole('button', { name: 'Revoke all links' }).click();
    await good.getByText('All links to this file are revoked.').waitFor();
    assert.equal((await fetch(link)).status, 410);
    await good.getByRole('button', { name: 'Limit to one more download' }).click();
    await good.locator('dt:has-text("Downloads") + dd', { hasText: '0 of 1 allowed' }).waitFor();
    await good.getByRole('button', { name: 'Allow one more download' }).waitFor();
    await good.getByRole('button', { name: 'Create a link' }).click();
    await good.getByText('It expires in 24 h').waitFor();
    assert.equal((await fetch(await good.getByLabel('Link').inputValue())).status, 200);
    await rowOf(page, 'good.txt').locator('.line .message', { hasText: 'Its limit of downloads is reached.' }).waitFor();
    assert.equal(await button(page, 'Download good.txt').isVisible(), false);
    await good.getByRole('button', { name: 'Scan again' }).click();
    await good.getByText('The scan is requested.').waitFor();
  });

  await test('“Not accepted” is no alarm: its colour is neutral', async () => {
    await page.locator('#picker').setInputFiles([text('setup.exe')]);
    await badge(page, 'setup.exe', 'Not accepted').waitFor();
    const colours = await page.evaluate(() => ['.refused .badge', '.infected .badge'].map((name) => getComputedStyle(document.querySelector(name)).backgroundColor));
    assert.notEqual(colours[0], colours[1]);
    await button(page, 'Dismiss setup.exe').click();
    await rowOf(page, 'setup.exe').waitFor({ state: 'detached' });
  });

  await test('a thousand files are queued in a moment and shown a few at a time; all are cancelled, and again queued', async () => {
    const spoken = [];
    await page.exposeFunction('spoken', (said) => spoken.push(said));
    await page.evaluate(() => new MutationObserver(() => globalThis.spoken(document.querySelector('#announcer').textContent))
      .observe(document.querySelector('#announcer'), { childList: true, characterData: true, subtree: true }));
    const tookMs = await page.evaluate(() => {
      const data = new DataTransfer();
      for (let n = 0; n < 1000; n += 1) data.items.add(new File([`file ${n}`], `bulk-${n}.txt`));
      const picker = document.querySelector('#picker');
      picker.files = data.files;
      const from = performance.now();
      picker.dispatchEvent(new Event('change'));
      return performance.now() - from;
    });
    await page.locator('#batch-text', { hasText: /^\d+ of 1,000 files uploaded/ }).waitFor();
    await page.locator('#batch-text', { hasText: /left$/ }).waitFor();
    await badge(page, 'bulk-0.txt', 'Clean').waitFor();
    // Active ones are on top, and the rest is a number.
    assert.match(await page.locator('#uploads .badge').first().textContent(), /Preparing|Uploading/);
    assert.ok(await page.locator('li.file').count() <= 70);
    await page.locator('#uploads-more', { hasText: /^and \d+ more uploads in the queue$/ }).waitFor();
    await inEveryLook(page, (look) => shot(page, `thousand-${look}`));
    await until(() => spoken.some((said) => /Verdicts of \d+ files: \d+ clean/.test(said)));
    await button(page, 'Pause all').click();
    await page.locator('#batch-text', { hasText: /· paused$/ }).waitFor();
    await until(async () => await page.locator('#uploads .badge', { hasText: /Preparing|Uploading/ }).count() === 0);
    const nPaused = (await listed()).length;
    await page.waitForTimeout(2000);
    assert.equal((await listed()).length, nPaused, 'no queued upload is started');
    await button(page, 'Resume all').click();
    await page.locator('#uploads .badge', { hasText: /Preparing|Uploading/ }).first().waitFor();
    await button(page, 'Cancel all').click();
    await page.locator('#batch-text', { hasText: /^\d+ files uploaded: \d+ clean/ }).waitFor();
    assert.equal(await page.locator('#uploads li').count(), 0);
    await page.locator('.toast', { hasText: 'uploads cancelled.' }).getByRole('button', { name: 'Undo' }).click();
    await page.locator('#batch-text', { hasText: /of \d+ files uploaded/ }).waitFor();
    await button(page, 'Cancel all').click();
    await until(async () => (await listed()).every(({ scan_status: status }) => !['pending', 'scanning'].includes(status)));
    console.log(`  (1,000 files were queued in ${Math.round(tookMs)} ms; ${spoken.length} announcements)`);
  });

  await test('the list shows fifty files, and more of them on request', async () => {
    const names = Array.from({ length: 60 }, (_, n) => text(`many-${n}.txt`));
    await page.locator('#picker').setInputFiles(names);
    await until(async () => (await listed()).filter(({ filename, scan_status: status }) => filename.startsWith('many-') && status === 'clean').length === 60);
    await page.reload();
    await until(async () => await page.locator('#files li').count() === 50);
    await page.waitForTimeout(2500); // events about older files add no rows
    assert.equal(await page.locator('#files li').count(), 50);
    await button(page, 'Show more').click();
    await until(async () => await page.locator('#files li').count() > 55);
    await page.getByLabel('Show').selectOption('infected');
    await until(async () => await page.locator('#files li').count() === 1);
    await page.locator('#picker').setInputFiles([text('during.txt')]);
    await until(async () => (await listed()).some(({ filename, scan_status: status }) => filename === 'during.txt' && status === 'clean'));
    await page.locator('#uploads li').first().waitFor({ state: 'detached' });
    assert.equal(await page.locator('#files li').count(), 1, 'a clean file is not among the infected ones');
    await page.getByLabel('Show').selectOption('released');
    await page.locator('#empty', { hasText: 'No file is released.' }).waitFor();
  });

  console.log(`${n_passed} passed, 0 failed`);
} finally {
  await browser.close();
  await service.remove();
}
