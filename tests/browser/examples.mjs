// The examples do what they say, each started by its one command. Usage: node examples.mjs PATH-OF-AIRLOCK [DIRECTORY-FOR-SCREENSHOTS]

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Service, eicar, freePort, launch, n_passed, pseudorandom, shot, test, until } from './support.mjs';

const run = join(import.meta.dirname, '../../examples/run');
const port = await freePort();
const origin = `http://localhost:${port}`;
const service = await Service.start({ env: { ALLOWED_ORIGINS: origin, INCOMING_PREFIX: 'incoming/', MAX_FILE_SIZE: '300000000' } });
const env = {
  ...process.env, PORT: String(port), AIRLOCK_URL: service.url, AIRLOCK_DATA_DIR: join(service.directory, 'data'),
  AIRLOCK_S3_URL: `http://127.0.0.1:${service.ports[1]}`,
};
const browser = await launch();

const good = join(service.directory, 'good.bin');
const bad = join(service.directory, 'bad.pdf');
writeFileSync(good, pseudorandom(3_000_000, 1));
writeFileSync(bad, eicar);
const refused = join(service.directory, 'setup.exe');
writeFileSync(refused, 'MZ');

/** Starts an example that serves a page, and shows that page to `act`. */
async function page(name, act) {
  const example = spawn(run, [name], { env, stdio: ['pipe', 'ignore', 'ignore'], detached: true });
  const context = await browser.newContext({ acceptDownloads: true });
  try {
    await until(() => fetch(origin).then((response) => response.ok, () => false));
    const opened = await context.newPage();
    await opened.goto(origin);
    await act(opened);
  } finally {
    await context.close();
    process.kill(-example.pid);
    await until(() => fetch(origin).then(() => false, () => true));
  }
}

const command = (...args) => promisify(execFile)(run, args, { env }).then(({ stdout }) => ({ code: 0, stdout }), (error) => error);

try {
  await test('uppy-dashboard', () => page('uppy-dashboard', async (opened) => {
    await opened.locator('input[type=file]').first().setInputFiles([good, bad, refused]);
    await opened.getByRole('button', { name: /^Upload/ }).click();
    await opened.locator('#verdicts li.clean', { hasText: 'good.bin' }).waitFor();
    await opened.locator('#verdicts li.infected', { hasText: 'bad.pdf: infected Eicar' }).waitFor();
    await opened.getByText('Upload failed').first().waitFor();
    await shot(opened, 'uppy-dashboard');
  }));

  await test('react', () => page('react', async (opened) => {
    await opened.locator('input[type=file]').setInputFiles([good, bad, refused]);
    await opened.locator('li.clean', { hasText: 'good.bin' }).waitFor();
    await opened.locator('li.infected', { hasText: 'Blocked: Eicar' }).waitFor();
    await opened.locator('li.failed', { hasText: 'not accepted: `exe`' }).waitFor();
    await shot(opened, 'react');
    const [download] = await Promise.all([opened.waitForEvent('download'), opened.getByRole('button', { name: 'Download' }).click()]);
    assert.equal(download.suggestedFilename(), 'good.bin');
  }));

  await test('html-form', () => page('html-form', async (opened) => {
    const verdict = opened.frameLocator('iframe[title="What becomes of it"]').locator('#verdict');
    await verdict.filter({ hasText: 'Waiting for the file to arrive.' }).waitFor();
    assert.equal(await opened.locator('script').count(), 0);
    await opened.locator('input[type=file]').setInputFiles({ name: 'cv.pdf', mimeType: 'application/pdf', buffer: Buffer.from('%PDF-1.4 a CV') });
    await opened.getByRole('button', { name: 'Send' }).click();
    await verdict.filter({ hasText: 'File is clean and safe to download.' }).waitFor();
    await shot(opened, 'html-form');
    const [download] = await Promise.all([opened.waitForEvent('download'), verdict.getByRole('link').click()]);
    assert.equal(download.suggestedFilename(), 'application.pdf');
  }));

  await test('curl and boto3', async () => {
    for (const [name, path, code, expected] of [
      ['curl', good, 0, /is clean\nwhat comes back is what was sent/],
      ['curl', bad, 10, /is infected/],
      ['boto3', good, 0, /incoming\/local\/good.bin is clean/],
      ['boto3', bad, 10, /incoming\/local\/bad.pdf is infected/],
    ]) {
      const { code: found, stdout, stderr } = await command(name, path);
      assert.equal(found, code, `${name}: ${stdout}${stderr}`);
      assert.match(stdout, expected);
    }
  });

  console.log(`${n_passed} passed, 0 failed`);
} finally {
  await browser.close();
  await service.remove();
}
