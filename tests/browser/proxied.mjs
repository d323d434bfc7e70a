// Behind a proxy, with a name of its own and another one for the storage, the page uploads, follows and downloads: PUBLIC_URL and S3_URL are
// all that it takes. Caddy runs as deploy/caddy configures it. Usage: node proxied.mjs PATH-OF-AIRLOCK

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { Service, buttonOf, freePort, launch, n_passed, pseudorandom, rowOf, sha256, test, until } from './support.mjs';

const [API, STORAGE] = ['files.example.com', 'storage.example.com'];
const SECRET = 'a secret of at least thirty-two bytes';
const port = await freePort();
const [page_url, storage_url] = [API, STORAGE].map((name) => `https://${name}:${port}`);

function token() {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const now = Math.floor(Date.now() / 1000);
  const signed = `${part({ alg: 'HS256' })}.${part({ iss: 'i', aud: 'a', sub: 'ann', iat: now, exp: now + 86_400 })}`;
  return `${signed}.${createHmac('sha256', SECRET).update(signed).digest('base64url')}`;
}

function startCaddy(directory, [api, storage]) {
  let file = readFileSync(new URL('../../deploy/caddy/Caddyfile', import.meta.url), 'utf8');
  for (const [from, to] of [
    [`\n${API} {`, `\n${page_url} {\n\tbind 127.0.0.1`],
    [`\n${STORAGE} {`, `\n${storage_url} {\n\tbind 127.0.0.1`],
    ['reverse_proxy 127.0.0.1:8000 {', `reverse_proxy 127.0.0.1:${api} {`],
    ['reverse_proxy 127.0.0.1:8001 {', `reverse_proxy 127.0.0.1:${storage} {`],
    ['# tls /etc/ssl/airlock.pem /etc/ssl/airlock.key', 'tls internal'],
  ]) {
    assert.ok(file.includes(from), from);
    file = file.replace(from, to);
  }
  writeFileSync(join(directory, 'Caddyfile'), `{\n\tauto_https disable_redirects\n\tadmin off\n\tskip_install_trust\n}\n${file}`);
  return spawn('caddy', ['run', '--config', 'Caddyfile', '--adapter', 'caddyfile'], {
    cwd: directory, stdio: 'ignore', env: { PATH: process.env.PATH, HOME: directory, XDG_DATA_HOME: directory, XDG_CONFIG_HOME: directory },
  });
}

const answers = () => new Promise((resolve) => {
  const asked = { host: '127.0.0.1', port, path: '/health', servername: API, headers: { host: `${API}:${port}` }, rejectUnauthorized: false };
  request(asked, (response) => { response.resume(); resolve(response.statusCode === 200); }).on('error', () => resolve(false)).end();
});

const service = await Service.start({
  env: { AUTH: 'jwt', JWT_ISSUER: 'i', JWT_AUDIENCE: 'a', JWT_SECRET: SECRET, PUBLIC_URL: page_url, S3_URL: storage_url },
});
const caddy = startCaddy(service.directory, service.ports);
const browser = await launch([`--host-resolver-rules=MAP ${API} 127.0.0.1, MAP ${STORAGE} 127.0.0.1`]);

try {
  await until(answers);
  const context = await browser.newContext({ acceptDownloads: true, ignoreHTTPSErrors: true });
  await context.addInitScript((value) => sessionStorage.setItem('token', value), token());
  const page = await context.newPage();
  const problems = [];
  page.on('pageerror', (error) => problems.push(String(error)));
  page.on('console', (message) => { if (message.type() === 'error') problems.push(message.text()); });
  await page.goto(page_url);

  // In one request, and in parts.
  const files = { 'small.txt': Buffer.from('hello'), 'large.txt': pseudorandom(20_000_000, 7) };
  await test('the page uploads through the proxy, and sees the verdicts', async () => {
    await page.locator('#picker').setInputFiles(
      Object.entries(files).map(([name, buffer]) => ({ name, mimeType: 'text/plain', buffer })),
    );
    for (const name of Object.keys(files)) await rowOf(page, name).locator('.badge', { hasText: 'Clean' }).waitFor();
  });

  await test('the bytes come back through the proxy', async () => {
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      buttonOf(page, 'large.txt', 'Download').click(),
    ]);
    assert.equal(sha256(readFileSync(await download.path())), sha256(files['large.txt']));
  });

  assert.deepEqual(problems, []);
} finally {
  await browser.close();
  caddy.kill();
  await service.remove();
}
console.log(`${n_passed} tests behind a proxy passed`);
