// The page keeps its promises in Chromium: a clean file comes back as it was, EICAR does not, nothing runs, and the page
// can be used with a keyboard. Usage: node page.mjs PATH-OF-AIRLOCK [DIRECTORY-FOR-SCREENSHOTS]

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Service, buttonOf, eicar, launch, looksRight, n_passed, rowOf, sha256, shot, test, until } from './support.mjs';

const service = await Service.start();
const { url, directory } = service;
const browser = await launch();

try {
  const context = await browser.newContext({ acceptDownloads: true, viewport: { width: 1000, height: 800 } });
  await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: url });
  const page = await context.newPage();
  const problems = [];
  page.on('pageerror', (error) => problems.push(String(error)));
  page.on('console', (message) => { if (message.type() === 'error') problems.push(message.text()); });
  await page.goto(url);

  const clean = Buffer.from(Array.from({ length: 300_000 }, (_, n) => (n * 31) % 251));
  const hostile = '<img src=x onerror=alert(1)>.txt';

  await test('the test definitions are announced', async () => {
    await page.locator('#notice').waitFor();
    assert.match(await page.locator('#notice').textContent(), /Do not rely on these verdicts/);
  });

  await test('several files are uploaded concurrently across origins and judged', async () => {
    await page.locator('#picker').setInputFiles([
      { name: 'holiday.png', mimeType: 'image/png', buffer: clean },
      { name: 'invoice.pdf', mimeType: 'application/pdf', buffer: eicar },
      { name: hostile, mimeType: 'text/plain', buffer: Buffer.from('hello') },
    ]);
    await rowOf(page, 'holiday.png').locator('.badge', { hasText: 'Clean' }).waitFor();
    await rowOf(page, 'invoice.pdf').locator('.badge', { hasText: 'Infected' }).waitFor();
    await shot(page, 'light');
  });

  await test('the clean file comes back as it was', async () => {
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      buttonOf(page, 'holiday.png', 'Download').click(),
    ]);
    assert.equal(download.suggestedFilename(), 'holiday.png');
    assert.equal(sha256(readFileSync(await download.path())), sha256(clean));
  });

  await test('the infected file has no download', async () => {
    const row = rowOf(page, 'invoice.pdf');
    assert.equal(await row.getByRole('button', { name: 'Download' }).count(), 0);
    assert.match(await row.locator('.message').textContent(), /Blocked: Eicar/);
  });

  await test('a password opens a file for its scan, and without it the file says what to do', async () => {
    const made = join(directory, 'locked.zip');
    writeFileSync(join(directory, 'letter.txt'), 'nothing special');
    execFileSync('7zz', ['a', '-psecret words', '-mem=AES256', made, join(directory, 'letter.txt')], { stdio: 'ignore' });
    const locked = { mimeType: 'application/zip', buffer: readFileSync(made) };
    await page.locator('#picker').setInputFiles([{ name: 'closed.zip', ...locked }]);
    const closed = rowOf(page, 'closed.zip');
    await closed.locator('.message', { hasText: 'Remove the password and upload it again' }).waitFor();
    await page.getByText('Files with a password').click();
    await page.getByLabel('Password of the files that you add next').fill('secret words');
    await page.locator('#picker').setInputFiles([{ name: 'opened.zip', ...locked }]);
    await rowOf(page, 'opened.zip').locator('.badge', { hasText: 'Clean' }).waitFor();
    await shot(page, 'password');
    await page.getByLabel('Password of the files that you add next').fill('');
    const kept = await page.evaluate(async () => {
      const databases = await indexedDB.databases();
      return JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href, history.state, databases, await caches.keys()]);
    });
    assert.ok(!kept.includes('secret words') && !(await page.content()).includes('secret words'), kept);
    for (const name of ['closed.zip', 'opened.zip']) {
      await buttonOf(page, name, 'Delete').click();
      await rowOf(page, name).waitFor({ state: 'detached' });
    }
  });

  await test('a hostile name is only text', async () => {
    const row = rowOf(page, 'img src=x onerror=alert(1)');
    await row.locator('.badge', { hasText: 'Clean' }).waitFor();
    assert.equal(await page.locator('#files img').count(), 0);
  });

  await test('a link can be copied and used by another person', async () => {
    await buttonOf(page, 'holiday.png', 'Copy link').click();
    await rowOf(page, 'holiday.png').locator('.message', { hasText: 'Link copied' }).waitFor();
    const link = await page.evaluate(() => navigator.clipboard.readText());
    const served = await fetch(link);
    assert.equal(served.status, 200);
    assert.match(served.headers.get('content-disposition'), /^attachment;/);
    assert.equal(sha256(Buffer.from(await served.arrayBuffer())), sha256(clean));
  });

  await test('a file that is not accepted says why', async () => {
    await page.locator('#picker').setInputFiles([{ name: 'setup.exe', mimeType: '', buffer: Buffer.from('MZ') }]);
    const row = rowOf(page, 'setup.exe');
    await row.locator('.badge', { hasText: 'Not accepted' }).waitFor();
    assert.equal(await row.locator('.message').textContent(), 'Files of the type .exe are not accepted. See “Accepted types” above.');
    await page.getByText('Accepted types', { exact: true }).click();
    await page.locator('#accepted p', { hasText: 'docx' }).waitFor();
    await page.getByText('Accepted types', { exact: true }).click();
    await row.getByRole('button', { name: 'Dismiss setup.exe' }).click();
    await row.waitFor({ state: 'detached' });
    problems.splice(0, problems.length, ...problems.filter((text) => !text.includes('422')));
  });

  await test('the list is filtered and survives a reload', async () => {
    await page.reload();
    await rowOf(page, 'holiday.png').waitFor();
    await until(async () => await page.locator('li.file').count() === 3);
    await page.getByLabel('Show').selectOption('infected');
    await page.waitForFunction(() => document.querySelectorAll('li.file').length === 1);
    assert.equal(await rowOf(page, 'invoice.pdf').count(), 1);
    await page.getByLabel('Show').selectOption('');
    await rowOf(page, 'holiday.png').waitFor();
  });

  await test('the keyboard reaches everything', async () => {
    await page.locator('h1').click();
    const reached = new Set();
    for (let n = 0; n < 30; n += 1) {
      await page.keyboard.press('Tab');
      reached.add(await page.evaluate(() => document.activeElement.id || document.activeElement.getAttribute('aria-label')));
    }
    for (const what of ['picker', 'filter', 'Download holiday.png', 'Copy link holiday.png', 'Delete invoice.pdf']) {
      assert.ok(reached.has(what), `${what} cannot be reached: ${[...reached]}`);
    }
  });

  await test('a deleted file is gone', async () => {
    await buttonOf(page, 'invoice.pdf', 'Delete').click();
    await rowOf(page, 'invoice.pdf').waitFor({ state: 'detached' });
    await page.locator('.toast', { hasText: 'invoice.pdf deleted.' }).getByRole('button', { name: 'Close' }).click(); // or the notice with “Undo” stays for some seconds
    await until(async () => (await (await fetch(`${url}/files`)).json()).files.length === 2);
  });

  await test('files can be dropped on the page', async () => {
    const transfer = await page.evaluateHandle(() => {
      const data = new DataTransfer();
      data.items.add(new File(['dropped'], 'dropped.txt', { type: 'text/plain' }));
      return data;
    });
    // Not only in the drop zone: anywhere.
    await page.dispatchEvent('#files-heading', 'drop', { dataTransfer: transfer });
    await rowOf(page, 'dropped.txt').locator('.badge', { hasText: 'Clean' }).waitFor();
  });

  await test('the longest names come back, as long as the disk takes them', async () => {
    for (const [letter, length] of [['\u3042', 251], ['\u{1f600}', 125]]) {
      const name = `${letter.repeat(length)}.txt`;
      await page.locator('#picker').setInputFiles([{ name, mimeType: '', buffer: Buffer.from(letter) }]);
      await rowOf(page, name).locator('.badge', { hasText: 'Clean' }).waitFor();
      const [download] = await Promise.all([
        page.waitForEvent('download'),
        buttonOf(page, name, 'Download').click(),
      ]);
      // Linux takes 255 bytes, so Chromium shortens the name. The extension stays.
      assert.match(download.suggestedFilename(), new RegExp(`^(${letter}){50,}\\.txt$`, 'u'));
      assert.equal(readFileSync(await download.path(), 'utf8'), letter);
      await buttonOf(page, name, 'Delete').click();
      await rowOf(page, name).waitFor({ state: 'detached' });
    }
  });

  await test('what strangers upload does not run in the storage origin', async () => {
    const marker = join(directory, 'page.svg');
    writeFileSync(marker, '<svg xmlns="http://www.w3.org/2000/svg"><script>document.title="ran"</script></svg>');
    await page.locator('#picker').setInputFiles([marker]);
    await rowOf(page, 'page.svg').locator('.badge', { hasText: 'Clean' }).waitFor();
    const { files } = await (await fetch(`${url}/files`)).json();
    const file = files.find((each) => each.filename === 'page.svg');
    const { download_url: path } = await (await fetch(`${url}/files/${file.file_id}/download-link`)).json();
    const victim = await context.newPage();
    const [download] = await Promise.all([victim.waitForEvent('download'), victim.goto(url + path).catch(() => null)]);
    assert.equal(download.suggestedFilename(), 'page.svg');
    assert.notEqual(await victim.title(), 'ran');
    await victim.close();
  });

  await test('what happens elsewhere is seen here, also after the service was restarted', async () => {
    const elsewhere = await context.newPage();
    await elsewhere.goto(url);
    await elsewhere.locator('#picker').setInputFiles([{ name: 'elsewhere.txt', mimeType: 'text/plain', buffer: Buffer.from('elsewhere') }]);
    await rowOf(page, 'elsewhere.txt').locator('.badge', { hasText: 'Clean' }).waitFor();
    assert.equal(await rowOf(elsewhere, 'elsewhere.txt').count(), 1, 'one row in the page that uploads, too');
    await service.end();
    await page.locator('#live', { hasText: 'connection to the service is lost' }).waitFor();
    await service.begin();
    await page.locator('#live').waitFor({ state: 'hidden' });
    await buttonOf(elsewhere, 'elsewhere.txt', 'Delete').click();
    await rowOf(page, 'elsewhere.txt').waitFor({ state: 'detached' });
    await elsewhere.close();
    // While it was away, requests failed, as they had to.
    problems.splice(0, problems.length, ...problems.filter((text) => !text.includes('ERR_')));
  });

  await test('it looks right in the light, in the dark and on a phone, and the reference opens', async () => {
    await rowOf(page, 'holiday.png').locator('.open').click();
    await rowOf(page, 'holiday.png').locator('.details').waitFor();
    await looksRight(page, 'files');
    await page.setViewportSize({ width: 390, height: 844 });
    const targets = await page.locator('button:visible, .button:visible, select:visible, nav a').evaluateAll((all) => all
      .filter((element) => element.getBoundingClientRect().height < 44)
      .map((element) => element.getAttribute('aria-label') ?? element.textContent));
    assert.deepEqual(targets, [], 'touch targets of 44 pixels');
    const reference = await context.newPage();
    await reference.goto(`${url}/docs`);
    await reference.getByText('/files/{file_id}/download-link').first().waitFor();
    await reference.setViewportSize({ width: 1000, height: 900 });
    await shot(reference, 'docs');
    await reference.close();
  });

  assert.deepEqual(problems, [], 'the console is quiet');
  console.log(`${n_passed} passed, 0 failed`);
} finally {
  await browser.close();
  await service.remove();
}
