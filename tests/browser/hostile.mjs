// A page of another site, in the operator's browser, reads nothing and changes nothing: on no port, by no kind of request, and not when its own name
// leads to this machine (DNS rebinding). Usage: node hostile.mjs PATH-OF-AIRLOCK

import assert from 'node:assert/strict';
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:http';
import { Service, eicar, launch, n_passed, test, until } from './support.mjs';

const service = await Service.start();
const { url } = service;

/** The TCP ports that a process and its children listen on: /proc says which sockets are theirs. */
function portsOf(pid) {
  const pids = [pid, ...readdirSync(`/proc/${pid}/task`).flatMap((task) => readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').trim().split(/\s+/))];
  const links = pids.filter(Boolean).flatMap((id) => readdirSync(`/proc/${id}/fd`).map((fd) => {
    try { return readlinkSync(`/proc/${id}/fd/${fd}`); } catch { return ''; }
  }));
  const sockets = new Set(links);
  const lines = ['tcp', 'tcp6'].flatMap((table) => readFileSync(`/proc/${pid}/net/${table}`, 'utf8').split('\n').slice(1));
  const listening = lines.map((line) => line.trim().split(/\s+/)).filter((words) => words[3] === '0A' && sockets.has(`socket:[${words[9]}]`));
  return [...new Set(listening.map((words) => Number.parseInt(words[1].split(':').at(-1), 16)))];
}

/** What the page tries at one origin: [name, path, options of fetch]. Ids and keys are given to it, as if it had guessed them. */
function attempts(id) {
  // A signature as such, which a stand-in that verifies none takes.
  const authorization = 'AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0';
  const json = { 'content-type': 'application/x-amz-json-1.0', 'x-amz-date': '20260101T000000Z', authorization };
  const key = { pk: { S: `file#${id}` } };
  const calls = {
    'DynamoDB_20120810.ListTables': {},
    'DynamoDB_20120810.Scan': { TableName: 'airlock' },
    'DynamoDB_20120810.GetItem': { TableName: 'airlock', Key: key },
    'DynamoDB_20120810.UpdateItem': { TableName: 'airlock', Key: key, UpdateExpression: 'SET filename = :s', ExpressionAttributeValues: { ':s': { S: 'forged.txt' } } },
    'AmazonSQS.SendMessage': { QueueUrl: 'http://x/airlock-scan', MessageBody: 'forged' },
    'AmazonSQS.ReceiveMessage': { QueueUrl: 'http://x/airlock-scan-dead-letters' },
  };
  const upload = JSON.stringify({ filename: 'forged.txt', size: 6 });
  return [
    ...Object.entries(calls).flatMap(([target, input]) => [
      [target, '/', { method: 'POST', headers: { ...json, 'x-amz-target': target }, body: JSON.stringify(input) }],
      [`${target} in the query`, `/?X-Amz-Target=${target}`, { method: 'POST', headers: { 'content-type': 'text/plain' }, body: JSON.stringify(input) }],
    ]),
    ['list', '/files', {}],
    ['look', `/files/${id}`, {}],
    ['link', `/files/${id}/download-link`, {}],
    ['stats', '/stats', {}],
    ['events', '/events', {}],
    ['announce', '/files', { method: 'POST', headers: { 'content-type': 'application/json' }, body: upload }],
    ['announce simply', '/files', { method: 'POST', headers: { 'content-type': 'text/plain' }, body: upload }],
    ['announce by GET', '/uppy/s3/params?filename=forged.txt&type=', {}],
    ['delete', `/files/${id}`, { method: 'DELETE' }],
    ['rename', `/files/${id}`, { method: 'PATCH', headers: { 'content-type': 'application/json' }, body: '{"filename":"forged.txt"}' }],
    ['release', `/files/${id}/release`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ sha256: '0'.repeat(64), reason: 'forged' }) }],
    ['rescan', `/files/${id}/rescan`, { method: 'POST' }],
    ['bucket', '/airlock?list-type=2', {}],
    ['object', `/airlock/uploads/${id}`, {}],
    ['overwrite', `/airlock/uploads/${id}`, { method: 'PUT', body: 'forged' }],
    ['remove', `/airlock/uploads/${id}`, { method: 'DELETE' }],
    ['form', '/airlock', { method: 'POST', form: { key: `uploads/${id}`, file: 'forged' } }],
    ['form to the API', '/upload', { method: 'POST', form: { file: 'forged' } }],
  ];
}

/** Runs in the page: each attempt with and without CORS; what could be read. */
async function attack({ origins, attempts: list, modes }) {
  const readable = [];
  const attempt = async (origin, [name, path, { form, ...options }], mode) => {
    const stop = AbortSignal.timeout(5000);
    if (form) {
      options.body = new FormData();
      for (const [field, value] of Object.entries(form)) options.body.append(field, field === 'file' ? new File([value], 'forged.txt') : value);
    }
    try {
      const response = await fetch(origin + path, { ...options, mode, signal: stop });
      const text = await response.text();
      if (response.type !== 'opaque') readable.push({ origin, name, mode, status: response.status, text });
    } catch { /* What the browser or the service refuses cannot be read. */ }
  };
  for (const origin of origins) for (const mode of modes) await Promise.all(list.map((one) => attempt(origin, one, mode)));
  return readable;
}

const info = async (path) => (await fetch(url + path)).json();

async function upload(name, bytes) {
  const options = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ filename: name, size: bytes.length }) };
  const { file_id: id, upload: { url: target, headers } } = await (await fetch(`${url}/files`, options)).json();
  delete headers['content-length'];
  assert.equal((await fetch(target, { method: 'PUT', headers, body: bytes })).status, 200);
  await until(async () => !['pending', 'scanning'].includes((await info(`/files/${id}`)).scan_status));
  return id;
}

let bad, good, before;

/** Nothing has changed, and the infected file cannot be fetched. */
async function unchanged() {
  assert.deepEqual(await info('/files'), before);
  assert.equal((await fetch(`${url}/files/${bad}/download-link`)).status, 403);
  assert.equal((await info(`/files/${bad}`)).scan_status, 'infected');
  assert.equal((await info('/health')).queue.waiting, 0);
}

const evil = createServer((_, response) => response.setHeader('content-type', 'text/html').end('<!doctype html><title>evil</title>'));
await new Promise((resolve) => evil.listen(0, '127.0.0.1', resolve));
const evilPort = evil.address().port;
const browser = await launch(['--host-resolver-rules=MAP evil.test 127.0.0.1',
  // A public page would be asked about the local network first; here nothing but the service itself is in the way.
  '--disable-features=LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests,PrivateNetworkAccessSendPreflights']);

try {
  bad = await upload('bad.txt', eicar);
  good = await upload('good.txt', Buffer.from('a secret text'));
  before = await info('/files');
  const ports = portsOf(service.process.pid);
  const list = [...attempts(bad), ...attempts(good)];

  await test('the service has two ports, and the attack would be seen at one that lets it in', async () => {
    assert.deepEqual(ports.toSorted(), service.ports.toSorted());
    const open = createServer((_, response) => response.writeHead(200, {
      'access-control-allow-origin': '*', 'access-control-allow-headers': '*', 'access-control-allow-methods': '*',
    }).end('read'));
    await new Promise((resolve) => open.listen(0, '127.0.0.1', resolve));
    const page = await browser.newPage();
    await page.goto(`http://evil.test:${evilPort}/`);
    const read = await page.evaluate(attack, { origins: [`http://127.0.0.1:${open.address().port}`], attempts: list, modes: ['cors'] });
    open.close();
    await page.close();
    assert.equal(read.filter(({ text }) => text === 'read').length, list.length);
  });

  for (const host of ['evil.test', 'localhost', '127.0.0.1']) {
    await test(`a page of http://${host}:other-port reads and changes nothing`, async () => {
      const page = await browser.newPage();
      await page.goto(`http://${host}:${evilPort}/`);
      const origins = ports.flatMap((port) => ['127.0.0.1', 'localhost', '[::1]', 'evil.test'].map((name) => `http://${name}:${port}`));
      const read = await page.evaluate(attack, { origins, attempts: list, modes: ['cors', 'no-cors'] });
      await page.close();
      assert.deepEqual(read, []);
      await unchanged();
    });
  }

  await test('a page whose name leads to the service is refused by name', async () => {
    for (const port of ports) {
      const page = await browser.newPage();
      const origin = `http://evil.test:${port}`;
      const answer = await page.goto(`${origin}/files`);
      assert.equal(answer.status(), 403);
      // Of the same origin now: answers can be read, so there must be nothing in them.
      const read = await page.evaluate(attack, { origins: [origin], attempts: list, modes: ['same-origin'] });
      await page.close();
      assert.equal(read.length, list.length);
      for (const { name, status, text } of read) {
        assert.equal(status, 403, `${name}: ${status} ${text}`);
        assert.ok(/loopback/.test(text) && !/secret text|EICAR|bad\.txt|good\.txt/.test(text), `${name}: ${text}`);
      }
      await unchanged();
    }
  });

  console.log(`${n_passed} passed, 0 failed`);
} finally {
  await browser.close();
  evil.close();
  await service.remove();
}
