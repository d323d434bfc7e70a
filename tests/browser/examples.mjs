// The examples do what they say, each started by its one command. Usage: node examples.mjs PATH-OF-AIRLOCK [DIRECTORY-FOR-SCREENSHOTS]

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
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
  const example = spawn(run, [name], { env, stdio: ['ignore', 'ignore', 'ignore'], detached: true });
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
    const item = (name) => opened.locator('.uppy-Dashboard-Item', { hasText: name });
    await opened.locator('input[type=file]').first().setInputFiles([good, bad, refused]);
    await opened.getByRole('button', { name: /^Upload/ }).click();
    await opened.locator('#verdicts li.clean', { hasText: 'good.bin: clean' }).waitFor();
    await opened.locator('#verdicts li.infected', { hasText: 'bad.pdf: Blocked: Eicar' }).waitFor();
    await opened.locator('#verdicts li.refused', { hasText: 'not accepted' }).waitFor();
    await opened.locator('.uppy-Dashboard-Item.is-complete').waitFor();
    assert.equal(await opened.locator('.uppy-Dashboard-Item.is-complete').count(), 1, 'one tick: the clean file');
    assert.equal(await item('bad.pdf').locator('xpath=self::*[contains(@class, "is-error")]').count(), 1);
    await shot(opened, 'uppy-dashboard');
    const [download] = await Promise.all([opened.waitForEvent('download'), opened.getByRole('button', { name: 'Download' }).click()]);
    assert.equal(download.suggestedFilename(), 'good.bin');
  }));

  await test('react', () => page('react', async (opened) => {
    await opened.locator('input[type=file]').setInputFiles([good, bad, refused]);
    await opened.locator('li.clean', { hasText: 'good.bin' }).waitFor();
    await opened.locator('li.infected', { hasText: 'Blocked: Eicar' }).waitFor();
    await opened.locator('li.failed', { hasText: 'type .exe are not accepted' }).waitFor();
    await shot(opened, 'react');
    const [download] = await Promise.all([opened.waitForEvent('download'), opened.getByRole('button', { name: 'Download' }).click()]);
    assert.equal(download.suggestedFilename(), 'good.bin');
  }));

  await test('html-form', () => page('html-form', async (opened) => {
    const n_files = async () => (await (await fetch(`${service.url}/files?limit=100`)).json()).files.length;
    const before = await n_files();
    await opened.reload();
    assert.equal(await n_files(), before, 'GET creates no file');
    await opened.getByRole('button', { name: 'Apply' }).click();
    const verdict = opened.frameLocator('iframe[title="What becomes of it"]').locator('#verdict');
    await verdict.filter({ hasText: 'Waiting for the file to arrive.' }).waitFor();
    assert.equal(await opened.locator('script').count(), 0);
    await opened.locator('input[type=file]').setInputFiles({ name: 'cv.pdf', mimeType: 'application/pdf', buffer: Buffer.from('%PDF-1.4 a CV') });
    await opened.getByRole('button', { name: 'Send' }).click();
    await verdict.filter({ hasText: 'Nothing was found with test definitions' }).waitFor();
    await shot(opened, 'html-form');
    const [download] = await Promise.all([opened.waitForEvent('download'), verdict.getByRole('link').click()]);
    assert.equal(download.suggestedFilename(), 'application.pdf');
  }));

  await test('commands', async () => {
    for (const [name, path, code, expected] of [
      ['python', good, 0, /is clean: nothing was found/],
      ['python', bad, 10, /is infected: Eicar/],
      ['python', refused, 1, /not accepted.*extension_not_allowed/],
      ['python', null, 0, /is clean/],
      ['curl', null, 0, /what comes back is what was sent/],
      ['boto3', null, 0, /README.md is clean/],
      ['curl', good, 0, /is clean\nwhat comes back is what was sent/],
      ['curl', bad, 10, /is infected/],
      ['boto3', good, 0, /incoming\/local\/good.bin is clean/],
      ['boto3', bad, 10, /incoming\/local\/bad.pdf is infected/],
    ]) {
      const { code: found, stdout, stderr } = await command(name, ...(path ? [path] : []));
      assert.equal(found, code, `${name}: ${stdout}${stderr}`);
      assert.match(stdout, expected);
    }
  });

  await test('docs/clients.md: fetch, Python and curl', async () => {
    const text = readFileSync(join(import.meta.dirname, '../../docs/clients.md'), 'utf8');
    const snippet = (title) => {
      const [, code] = new RegExp(`### ${title}\\n[^]*?\n\`\`\`\\w+\\n([^]*?)\n\`\`\``).exec(text);
      return code.replaceAll('https://api.example.com', service.url);
    };
    const opened = await browser.newPage();
    await opened.goto(service.url);
    const byFetch = (name, content) => opened.evaluate(`(async () => {
      const token = 'none';
      ${snippet('fetch')}
      return upload(new File([${JSON.stringify(content)}], '${name}')).then(({ scan_status }) => scan_status, ({ message }) => message);
    })()`);
    assert.equal(await byFetch('a.txt', 'a'), 'clean');
    assert.equal(await byFetch('bad.pdf', eicar.toString()), 'infected');
    assert.match(await byFetch('setup.exe', 'MZ'), /not accepted/);
    for (const [title, program] of [['Python', 'python3'], ['Python without a package', 'python3'], ['curl', 'bash']]) {
      const variables = { ...env, TOKEN: 'none', PYTHONPATH: join(import.meta.dirname, '../../clients/python/src'), PYTHONDONTWRITEBYTECODE: '1' };
      for (const [path, expected] of [[good, 'clean'], [bad, 'infected']]) {
        const code = snippet(title).replace('report.pdf', path);
        const { stdout } = await promisify(execFile)(program, ['-c', code], { env: variables });
        assert.equal(stdout, `${expected}\n`, title);
      }
    }
  });

  console.log(`${n_passed} passed, 0 failed`);
} finally {
  await browser.close();
  await service.remove();
}
