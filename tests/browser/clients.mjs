// The upload clients that people use, as npm has them, in Chromium, from an origin of their own: whole files and parts, pauses, aborts, EICAR,
// and what the user sees when a file is refused. Usage: node clients.mjs PATH-OF-AIRLOCK

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { build } from 'esbuild';
import { Service, eicar, freePort, launch, n_passed, pseudorandom, sha256, standsStill, test, throttle, until } from './support.mjs';

const MB = 1_000_000;
// So slow that whatever is done in the middle of an upload is done in the middle of it, also where the machine is busy.
const SLOW = 2 * MB;
const here = import.meta.dirname;

// --- an application: another origin, and a token for its user ---

const secret = 'a secret of the tests that is long enough';
const base64url = (value) => Buffer.from(value).toString('base64url');
function userToken(sub) {
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: 'https://issuer.test', aud: 'airlock-test', sub, iat: now, exp: now + 3600 };
  const signed = `${base64url(JSON.stringify({ alg: 'HS256', typ: 'JWT' }))}.${base64url(JSON.stringify(claims))}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}
const token = userToken('alice');

const scripts = new Map();
async function bundle(client) {
  const { outputFiles: [{ text }] } = await build({
    entryPoints: [join(here, 'clients', client, 'page.js')], bundle: true, write: false, format: 'esm', logLevel: 'error',
    define: { 'process.env.NODE_ENV': '"production"' },
  });
  scripts.set(client, text);
}

// Dropzone's page has the client's worker. FilePond's has not, and as many servers of applications do, this one then sends a page.
const worker = readFileSync(join(here, '../../web/client/checksum-worker.js'), 'utf8');
const application = createServer((request, response) => {
  const name = request.url.slice(1).replace('.js', '');
  if (request.headers.referer?.includes('dropzone')) scripts.set('checksum-worker', worker);
  else scripts.delete('checksum-worker');
  const isScript = request.url.endsWith('.js') && scripts.has(name);
  response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html');
  response.end(isScript ? scripts.get(name) : `<!doctype html><title>${name}</title><body><script type="module" src="/${name}.js"></script>`);
});
await new Promise((resolve) => { application.listen(0, '127.0.0.1', resolve); });
const origin = `http://127.0.0.1:${application.address().port}`;

const service = await Service.start({
  options: ['--auth', 'jwt'],
  env: {
    JWT_SECRET: secret, JWT_ISSUER: 'https://issuer.test', JWT_AUDIENCE: 'airlock-test', ALLOWED_ORIGINS: origin,
    MAX_FILE_SIZE: String(200 * MB), INCOMING_PREFIX: 'incoming/', INCOMING_OWNERS: '{owner}/',
  },
});
const api = service.url;
const browser = await launch();

// --- what is known about a file, as its owner sees it ---

const get = async (path) => (await fetch(api + path, { headers: { authorization: `Bearer ${token}` } })).json();

/** Waits for the verdict on the file that a client says it has uploaded; looked up by key, where that is all it knows. */
async function verdict({ id, key, error }) {
  assert.ok(!error && (id ?? key), `no upload: ${error}`);
  let info;
  await until(async () => {
    info = id ? await get(`/files/${id}`) : (await get(`/files?key=${encodeURIComponent(key)}`)).files[0];
    return info && !['pending', 'scanning'].includes(info.scan_status);
  });
  return info;
}

const named = async (name) => (await get('/files?limit=100')).files.filter((info) => info.filename === name);

// --- driving a client ---

async function open(client, options = {}) {
  const page = await browser.newPage();
  page.problems = [];
  page.on('pageerror', (error) => page.problems.push(String(error)));
  await page.goto(`${origin}/${client}`);
  await page.waitForFunction(() => window.start);
  await page.evaluate((settings) => window.start(settings), { api, token, ...options });
  return page;
}

/** Gives the page a file, and uploads it there; what the client says in the end. */
async function upload(page, name, bytes, type = '') {
  const chosen = page.locator('#chosen');
  if (await chosen.count() === 0) {
    await page.evaluate(() => {
      const input = Object.assign(document.createElement('input'), { type: 'file', id: 'chosen', hidden: true });
      document.body.append(input);
    });
  }
  await chosen.setInputFiles({ name, mimeType: type, buffer: bytes });
  return page.evaluate(() => window.upload(document.getElementById('chosen').files[0]));
}

const progressed = (page, fraction) => page.waitForFunction((wanted) => window.progress > wanted, fraction);

async function cleanAndInfected(client, options, size) {
  const bytes = pseudorandom(size, size);
  const clean = await open(client, options);
  const uploaded = await upload(clean, `${client}.bin`, bytes);
  const info = await verdict(uploaded);
  assert.equal(info.scan_status, 'clean');
  assert.equal(info.scan_result.sha256, sha256(bytes));
  assert.equal(info.filename, `${client}.bin`);
  const bad = await open(client, options);
  assert.equal((await verdict(await upload(bad, 'invoice.pdf', eicar, 'application/pdf'))).scan_status, 'infected');
  for (const page of [clean, bad]) {
    assert.deepEqual(page.problems, []);
    await page.close();
  }
  return uploaded;
}

const uppys = [
  ['uppy4', {}], ['uppy5', {}], ['uppy6', {}], ['uppy6', { isSigning: true }],
];

try {
  await Promise.all(['uppy4', 'uppy5', 'uppy6', 'better-upload', 'active-storage', 'filepond', 'dropzone', 'tus'].map(bundle));

  for (const [client, way] of uppys) {
    const title = way.isSigning ? `${client} with signRequest` : client;

    await test(`${title}: whole files`, () => cleanAndInfected(client, { ...way, isInParts: false }, 300_000));

    await test(`${title}: in parts`, async () => {
      const { location } = await cleanAndInfected(client, { ...way, isInParts: true }, 12 * MB);
      const [info] = await named(`${client}.bin`);
      assert.equal(location, `${api}/files/${info.file_id}`);
    });

    await test(`${title}: paused and resumed`, async () => {
      const page = await open(client, { ...way, isInParts: true });
      const free = await throttle(page, SLOW);
      const bytes = pseudorandom(30 * MB, 1);
      const done = upload(page, `${title} paused.bin`, bytes);
      await progressed(page, 0.3);
      await page.evaluate(() => window.uppy.pauseResume(window.added));
      assert.ok(await standsStill(() => page.evaluate(() => window.progress)) < 1);
      await page.evaluate(() => window.uppy.pauseResume(window.added));
      await free();
      const info = await verdict(await done);
      assert.deepEqual([info.scan_status, info.scan_result.sha256], ['clean', sha256(bytes)]);
      await page.close();
    });

    await test(`${title}: aborted`, async () => {
      const page = await open(client, { ...way, isInParts: true });
      await throttle(page, SLOW);
      const done = upload(page, `${title} aborted.bin`, pseudorandom(30 * MB, 2));
      await progressed(page, 0.3);
      await page.evaluate(() => window.uppy.removeFile(window.added));
      assert.ok((await done).removed);
      await until(async () => (await named(`${title} aborted.bin`)).length === 0);
      await page.close();
    });

    await test(`${title}: a refusal reaches the user`, async () => {
      for (const isInParts of [false, true]) {
        const page = await open(client, { ...way, isInParts });
        const { error } = await upload(page, 'setup.exe', Buffer.from('MZ'));
        assert.ok(error, 'it is refused');
        // Uppy 6 shows the status only, and nothing over HTTP/2; with `signRequest` the application sees the answer itself.
        if (client !== 'uppy6') assert.match(error, /type \.exe are not accepted/);
        await page.close();
      }
    });
  }

  for (const client of ['uppy4', 'uppy5', 'uppy6']) {
    await test(`${client} with our plugin: the tick waits for the verdict, and a refusal is our sentence`, async () => {
      const page = await open(client, { isOurs: true });
      let release;
      const held = new Promise((resolve) => { release = resolve; });
      await page.route('**/status', async (route) => { await held; await route.continue(); });
      const bytes = pseudorandom(20 * MB, 9);
      const done = upload(page, 'ours.bin', bytes);
      await page.waitForFunction(() => window.uppy.getFiles()[0]?.progress.postprocess?.message === 'Scanning');
      assert.ok(!await page.evaluate(() => window.isTicked()), 'no tick yet');
      release();
      assert.equal((await verdict(await done)).scan_result.sha256, sha256(bytes));
      assert.ok(await page.evaluate(() => window.isTicked()), 'a tick now');
      assert.deepEqual(page.problems, []);
      await page.close();
      for (const [name, content, expected] of [['invoice.pdf', eicar, /Blocked: Eicar/], ['setup.exe', Buffer.from('MZ'), /not accepted/]]) {
        const refused = await open(client, { isOurs: true });
        assert.match((await upload(refused, name, content)).error, expected);
        assert.ok(!await refused.evaluate(() => window.isTicked()), 'no tick');
        await refused.close();
      }
    });

    await test(`${client} with our plugin: paused, resumed and removed`, async () => {
      const page = await open(client, { isOurs: true });
      const free = await throttle(page, SLOW);
      const bytes = pseudorandom(30 * MB, 10);
      const done = upload(page, `${client} plugin.bin`, bytes);
      await progressed(page, 0.1);
      await page.evaluate(() => window.uppy.pauseResume(window.added));
      assert.ok(await standsStill(() => page.evaluate(() => window.progress)) < 1);
      await page.evaluate(() => window.uppy.pauseResume(window.added));
      await free();
      assert.equal((await verdict(await done)).scan_result.sha256, sha256(bytes));
      await page.close();
      const removed = await open(client, { isOurs: true });
      await throttle(removed, SLOW);
      const gone = upload(removed, `${client} plugin removed.bin`, pseudorandom(30 * MB, 11));
      await progressed(removed, 0.1);
      await removed.evaluate(() => window.uppy.removeFile(window.added));
      assert.ok((await gone).removed);
      await until(async () => (await named(`${client} plugin removed.bin`)).length === 0);
      await removed.close();
    });
  }

  await test('uppy 4 and 5: a foreign or expired token is an error, not a hang', async () => {
    for (const client of ['uppy4', 'uppy5']) {
      const page = await open(client, { token: 'nonsense' });
      assert.ok((await upload(page, 'a.txt', Buffer.from('a'))).error);
      await page.close();
    }
  });

  await test('better-upload: whole files', async () => {
    const { metadata } = await cleanAndInfected('better-upload', {}, 300_000);
    assert.equal(metadata.file_ids.length, 1);
  });

  await test('better-upload: in parts', async () => {
    const page = await open('better-upload');
    const bytes = pseudorandom(110 * MB, 3);
    const path = join(service.directory, 'parts.bin');
    (await import('node:fs')).writeFileSync(path, bytes);
    await page.evaluate(() => {
      document.body.append(Object.assign(document.createElement('input'), { type: 'file', id: 'chosen' }));
    });
    await page.locator('#chosen').setInputFiles(path);
    const done = await page.evaluate(() => window.upload(document.getElementById('chosen').files[0]));
    assert.equal((await verdict(done)).scan_result.sha256, sha256(bytes));
    // Aborted: the client says so at storage's place, and nothing is left.
    const free = await throttle(page, 20 * MB);
    await page.evaluate(() => { window.done = window.upload(new File([document.getElementById('chosen').files[0]], 'aborted.bin')); });
    await progressed(page, 0.2);
    await page.evaluate(() => window.abort());
    await free();
    assert.ok((await page.evaluate(() => window.done)).error);
    await until(async () => (await named('aborted.bin')).length === 0);
    await page.close();
  });

  await test('better-upload: a refusal reaches the user', async () => {
    const page = await open('better-upload');
    assert.match((await upload(page, 'setup.exe', Buffer.from('MZ'))).error, /type \.exe are not accepted/);
    await page.close();
  });

  await test('active storage: direct uploads', async () => {
    const { signed_id: id } = await cleanAndInfected('active-storage', {}, 300_000);
    assert.equal((await get(`/files/${id}`)).scan_status, 'clean');
  });

  await test('active storage: other bytes than the checksum says are not stored', async () => {
    const page = await open('active-storage', { isDamaged: true });
    assert.match((await upload(page, 'damaged.bin', pseudorandom(1000, 4))).error, /Status: 400/);
    assert.match((await upload(page, 'setup.exe', Buffer.from('MZ'))).error, /Status: 422/);
    await page.close();
  });

  for (const client of ['filepond', 'dropzone']) {
    await test(`${client}: on top of our client`, async () => {
      const page = await open(client);
      const bytes = pseudorandom(20 * MB, 5);
      const { id, error } = await upload(page, `${client}.bin`, bytes);
      assert.equal((await verdict({ id, error })).scan_result.sha256, sha256(bytes));
      await page.close();
      for (const [name, content, expected] of [['invoice.pdf', eicar, /Blocked: Eicar/], ['setup.exe', Buffer.from('MZ'), /type \.exe are not accepted/]]) {
        const refused = await open(client);
        assert.match((await upload(refused, name, content)).error, expected);
        await until(async () => expected.test(await refused.locator('body').innerText()));
        await refused.close();
      }
      const cancelled = await open(client);
      await throttle(cancelled, SLOW);
      const done = upload(cancelled, `${client} aborted.bin`, pseudorandom(30 * MB, 6));
      await progressed(cancelled, 0.2);
      if (client === 'filepond') await cancelled.locator('.filepond--action-abort-item-processing').click({ force: true });
      else await cancelled.evaluate(() => window.dropzone.removeAllFiles(true));
      assert.ok((await done).removed);
      await until(async () => (await named(`${client} aborted.bin`)).length === 0);
      await cancelled.close();
    });
  }

  await test('tus: a server that knows nothing of us writes below the incoming prefix', async () => {
    const { access_key_id: keyId, secret_access_key: key } = JSON.parse(readFileSync(join(service.directory, 'data', 'secrets.json'), 'utf8'));
    const port = await freePort();
    const s3 = `http://127.0.0.1:${service.ports[1]}`;
    const server = spawn('node', [join(here, 'clients', 'tus', 'server.mjs'), String(port), s3, keyId, key], { stdio: ['ignore', 'ignore', 'inherit'] });
    const tus = `http://127.0.0.1:${port}/files`;
    try {
      await until(() => fetch(tus, { method: 'OPTIONS' }).then((response) => response.ok, () => false));
      const keyOf = ({ location }) => Buffer.from(location.split('/').pop(), 'base64url').toString();
      const page = await open('tus', { tus });
      const bytes = pseudorandom(20 * MB, 7);
      const info = await verdict({ key: keyOf(await upload(page, 'tus.bin', bytes)) });
      assert.deepEqual([info.scan_status, info.scan_result.sha256], ['clean', sha256(bytes)]);
      assert.equal((await verdict({ key: keyOf(await upload(page, 'invoice.pdf', eicar)) })).scan_status, 'infected');
      // Interrupted and resumed, by the client's own means.
      const free = await throttle(page, SLOW);
      const done = upload(page, 'resumed.bin', pseudorandom(30 * MB, 8));
      await progressed(page, 0.2);
      await page.evaluate(() => window.tus.abort());
      await free();
      await page.evaluate(() => window.tus.start());
      assert.equal((await verdict({ key: keyOf(await done) })).scan_result.sha256, sha256(pseudorandom(30 * MB, 8)));
      await page.close();
    } finally {
      server.kill();
    }
  });

  console.log(`${n_passed} passed, 0 failed`);
} finally {
  await browser.close();
  await service.remove();
  application.close();
}
