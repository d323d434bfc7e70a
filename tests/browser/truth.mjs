// The page says what is true when something fails: no network, no service, a storage that does not allow the page, a bad token, an upload
// that is refused, paused, or left behind by a closed page. Usage: node truth.mjs PATH-OF-AIRLOCK [DIRECTORY-FOR-SCREENSHOTS]

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createServer, request as forward } from 'node:http';
import { join } from 'node:path';
import { Service, badge, buttonOf, launch, n_passed, pseudorandom, rowOf, shot, standsStill, test, throttle, until } from './support.mjs';

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
const listed = async () => (await (await fetch(`${url}/files`)).json()).files;
const message = (page, name) => rowOf(page, name).locator('.message');
const says = (page, name, text) => message(page, name).filter({ hasText: text }).waitFor();
const fraction = (page, name) => rowOf(page, name).locator('progress').evaluate((bar) => bar.value);

try {
  const context = await browser.newContext({ viewport: { width: 1000, height: 800 } });
  await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: url });
  const page = await context.newPage();
  await page.goto(url);

  await test('no verdict of test definitions is called safe', async () => {
    await page.locator('#picker').setInputFiles([{ name: 'plain.txt', mimeType: '', buffer: Buffer.from('plain') }]);
    await badge(page, 'plain.txt', 'Clean').waitFor();
    assert.equal(await message(page, 'plain.txt').textContent(), 'Checked with test definitions only.');
    await rowOf(page, 'plain.txt').locator('.open').click();
    await rowOf(page, 'plain.txt').locator('.next', { hasText: 'Do not rely on this verdict' }).waitFor();
    assert.doesNotMatch(await page.locator('body').innerText(), /\bsafe\b/i);
  });

  await test('without a network the page says so, and uploads when it is back', async () => {
    await context.setOffline(true);
    await page.locator('#live', { hasText: 'You are offline.' }).waitFor();
    await page.locator('#picker').setInputFiles([{ name: 'later.txt', mimeType: '', buffer: Buffer.from('later') }]);
    await badge(page, 'later.txt', 'Waiting').waitFor();
    await says(page, 'later.txt', 'You are offline. The upload continues when the network returns.');
    await shot(page, 'offline');
    await context.setOffline(false);
    await badge(page, 'later.txt', 'Clean').waitFor();
    await page.locator('#live').waitFor({ state: 'hidden' });
  });

  await test('without the service a download says so, and is not carried out later', async () => {
    await service.end();
    await page.locator('#live', { hasText: 'The connection to the service is lost.' }).waitFor();
    await buttonOf(page, 'plain.txt', 'Download').click();
    await says(page, 'plain.txt', 'The service does not answer');
    await service.begin();
    await page.locator('#live').waitFor({ state: 'hidden' });
    // Longer than any pause between two attempts in this time.
    await page.waitForTimeout(5000);
    assert.equal((await listed()).find(({ filename }) => filename === 'plain.txt').download_count, 0);
  });

  await test('an upload that storage refuses is shown as failed, stays so, and can be retried', async () => {
    const cors = { 'access-control-allow-origin': url };
    await page.route(/uploads/, (route) => (route.request().method() === 'PUT'
      ? route.fulfill({ status: 403, headers: cors, body: '<Error><Code>AccessDenied</Code></Error>' }) : route.continue()));
    await page.locator('#picker').setInputFiles([{ name: 'refused.txt', mimeType: '', buffer: Buffer.from('refused') }]);
    await badge(page, 'refused.txt', 'Upload failed').waitFor();
    await says(page, 'refused.txt', 'Storage refused the upload (403, AccessDenied).');
    await page.waitForTimeout(5000); // the service reports every two seconds that nothing has arrived
    assert.match(await message(page, 'refused.txt').textContent(), /AccessDenied.*“Retry” sends the file again\.$/);
    await page.unroute(/uploads/);
    await buttonOf(page, 'refused.txt', 'Retry').click();
    await badge(page, 'refused.txt', 'Clean').waitFor();
    await until(async () => (await listed()).filter(({ filename }) => filename === 'refused.txt').length === 1);
    assert.equal(await rowOf(page, 'refused.txt').count(), 1);
  });

  await test('a pause says how much is kept, and no less is kept', async () => {
    const free = await throttle(page, SLOW);
    await page.locator('#picker').setInputFiles(file('kept.bin', 40 * MB, 1));
    await until(async () => await fraction(page, 'kept.bin') > 0.3);
    await buttonOf(page, 'kept.bin', 'Pause').click();
    await badge(page, 'kept.bin', 'Paused').waitFor();
    const kept = await standsStill(() => fraction(page, 'kept.bin'));
    const { file_id: id } = (await listed()).find(({ filename }) => filename === 'kept.bin');
    const stored = async () => (await (await fetch(`${url}/files/${id}/parts`)).json()).parts.reduce((sum, { size }) => sum + size, 0);
    assert.equal(Math.round(kept * 40 * MB), await stored());
    const said = (await stored() / MB).toFixed(1);
    await says(page, 'kept.bin', said === '0.0' ? 'Nothing is stored yet.' : `${said} MB of 40.0 MB are stored and kept.`);
    await buttonOf(page, 'kept.bin', 'Resume').click();
    await page.waitForTimeout(1500);
    assert.ok(await fraction(page, 'kept.bin') >= kept);
    await free();
    await badge(page, 'kept.bin', 'Clean').waitFor();
  });

  await test('leaving warns while something would be lost, and only then', async () => {
    const asked = [];
    page.on('dialog', (dialog) => { asked.push(dialog.type()); dialog.dismiss(); });
    const free = await throttle(page, SLOW);
    await page.locator('#picker').setInputFiles(file('left.bin', 14 * MB, 2));
    await badge(page, 'left.bin', 'Uploading').waitFor();
    await page.close({ runBeforeUnload: true });
    await until(() => asked.length === 1);
    assert.deepEqual(asked, ['beforeunload']);
    await free();
    await badge(page, 'left.bin', 'Clean').waitFor();
    page.removeAllListeners('dialog');
    await page.reload();
    await badge(page, 'left.bin', 'Clean').waitFor();
    assert.equal(asked.length, 1);
  });

  await test('a page that is closed during a small upload leaves no row behind', async () => {
    await throttle(page, SLOW / 4);
    await page.locator('#picker').setInputFiles(file('ghost.bin', 10 * MB, 3));
    await until(async () => await fraction(page, 'ghost.bin') > 0.1);
    const other = await context.newPage();
    await other.goto(url);
    await rowOf(other, 'ghost.bin').waitFor();
    await other.waitForTimeout(6000); // it is being sent by the first page, so it stays
    assert.equal((await listed()).filter(({ filename }) => filename === 'ghost.bin').length, 1);
    await page.reload();
    await until(async () => (await listed()).every(({ filename }) => filename !== 'ghost.bin'));
    await rowOf(page, 'ghost.bin').waitFor({ state: 'detached' });
    await rowOf(other, 'ghost.bin').waitFor({ state: 'detached' });
    await other.close();
  });

  await test('a storage that does not allow the page is named, with what an operator must do', async () => {
    // As behind a reverse proxy with a name of its own, which ALLOWED_ORIGINS does not list.
    const proxy = createServer((request, response) => {
      const headers = { ...request.headers, host: new URL(url).host, ...(request.headers.origin && { origin: url }) };
      const passed = forward(url + request.url, { method: request.method, headers }, (answer) => {
        response.writeHead(answer.statusCode, answer.headers);
        answer.pipe(response);
      });
      passed.on('error', () => response.destroy());
      request.pipe(passed);
    });
    await new Promise((resolve) => { proxy.listen(0, '127.0.0.1', resolve); });
    const origin = `http://127.0.0.1:${proxy.address().port}`;
    const stranger = await context.newPage();
    await stranger.goto(origin);
    await stranger.locator('#picker').setInputFiles([{ name: 'cors.txt', mimeType: '', buffer: Buffer.from('cors') }]);
    const storage = `http://127.0.0.1:${service.ports[1]}`;
    await says(stranger, 'cors.txt', `The storage at ${storage} does not allow uploads from this page (CORS). An operator must add ${origin} to ALLOWED_ORIGINS.`);
    await badge(stranger, 'cors.txt', 'Waiting').waitFor();
    await shot(stranger, 'cors');
    await stranger.close();
    proxy.closeAllConnections();
    proxy.close();
  });

  await test('a bad token is explained beside its field, and a good one continues', async () => {
    const secret = 'a secret of the tests that is long enough';
    const guarded = await Service.start({
      options: ['--auth', 'jwt'], env: { JWT_SECRET: secret, JWT_ISSUER: 'https://issuer.test', JWT_AUDIENCE: 'airlock-test' },
    });
    const own = await browser.newPage();
    try {
      await own.goto(guarded.url);
      await own.getByLabel('This service needs a token.').fill('not a token');
      await own.getByRole('button', { name: 'Use token' }).click();
      await own.locator('#token-problem', { hasText: 'The service did not accept this token.' }).waitFor();
      assert.equal(await own.getByLabel('This service needs a token.').getAttribute('aria-invalid'), 'true');
      assert.equal(await own.locator('#list-problem').isVisible(), false);
      const base64url = (value) => Buffer.from(value).toString('base64url');
      const now = Math.floor(Date.now() / 1000);
      const claims = { iss: 'https://issuer.test', aud: 'airlock-test', sub: 'alice', iat: now, exp: now + 3600 };
      const signed = `${base64url(JSON.stringify({ alg: 'HS256', typ: 'JWT' }))}.${base64url(JSON.stringify(claims))}`;
      await own.getByLabel('This service needs a token.').fill(`${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`);
      await own.getByRole('button', { name: 'Use token' }).click();
      await own.locator('#empty', { hasText: 'No files yet.' }).waitFor();
      assert.equal(await own.locator('#sign-in').isVisible(), false);
    } finally {
      await own.close();
      await guarded.remove();
    }
  });

  console.log(`${n_passed} passed, 0 failed`);
} finally {
  await browser.close();
  await service.remove();
}
