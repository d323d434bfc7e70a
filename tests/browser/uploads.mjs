// The page's large files: paused, resumed, cancelled, interrupted by a reload and by the network, and damaged on the way; folders, and pasted files.
// Usage: node uploads.mjs PATH-OF-AIRLOCK [DIRECTORY-FOR-SCREENSHOTS]

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { explain } from '../../web/client/explain.js';
import { Airlock } from '../../web/client/index.js';
import { Service, badge, buttonOf, eicar, launch, n_passed, pseudorandom, rowOf, sha256, shot, standsStill, test, throttle, until } from './support.mjs';

const MB = 1_000_000;
// So slow that whatever is done in the middle of an upload is done in the middle of it, also where the machine is busy.
const SLOW = 2 * MB;
const service = await Service.start();
const { url, directory } = service;
const browser = await launch();

const file = (name, size, seed) => {
  const path = join(directory, name);
  writeFileSync(path, pseudorandom(size, seed));
  return path;
};
const infoOf = async (name) => (await (await fetch(`${url}/files`)).json()).files.find((info) => info.filename === name);
const fraction = (page, name) => rowOf(page, name).locator('progress').evaluate((bar) => bar.value);

try {
  const context = await browser.newContext({ acceptDownloads: true, viewport: { width: 1000, height: 800 } });
  const page = await context.newPage();
  const sent = []; // the parts that were PUT, by number
  page.on('request', (request) => {
    if (request.method() === 'PUT') sent.push(Number(new URL(request.url()).searchParams.get('partNumber')));
  });
  await page.goto(url);

  await test('the limit is said beforehand, and what is over it is refused before a byte is sent', async () => {
    await page.locator('#limit', { hasText: 'Up to 104.9 MB each.' }).waitFor();
    await page.locator('#picker').setInputFiles(file('huge.bin', 105 * MB, 1));
    await badge(page, 'huge.bin', 'Not accepted').waitFor();
    assert.match(await rowOf(page, 'huge.bin').locator('.message').textContent(), /^Too large: 105\.0 MB; the limit is 104\.9 MB\./);
    assert.deepEqual(sent, []);
  });

  await test('a large upload is paused and resumed', async () => {
    const path = file('paused.bin', 40 * MB, 2);
    const free = await throttle(page, SLOW);
    await page.locator('#picker').setInputFiles(path);
    await until(async () => await fraction(page, 'paused.bin') > 0.2);
    await buttonOf(page, 'paused.bin', 'Pause').click();
    await badge(page, 'paused.bin', 'Paused').waitFor();
    assert.ok(await standsStill(() => fraction(page, 'paused.bin')) < 1);
    await shot(page, 'paused');
    await buttonOf(page, 'paused.bin', 'Resume').click();
    await free();
    await badge(page, 'paused.bin', 'Clean').waitFor();
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      buttonOf(page, 'paused.bin', 'Download').click(),
    ]);
    assert.equal(sha256(readFileSync(await download.path())), sha256(readFileSync(path)));
    assert.deepEqual(page.workers().map((worker) => new URL(worker.url()).pathname), ['/client/checksum-worker.js']);
  });

  await test('after a reload only what is missing is sent', async () => {
    const path = file('reloaded.bin', 60 * MB, 3);
    sent.length = 0;
    const free = await throttle(page, SLOW);
    await page.locator('#picker').setInputFiles(path);
    await until(async () => await fraction(page, 'reloaded.bin') > 0.6);
    await page.reload();
    await badge(page, 'reloaded.bin', 'Interrupted').waitFor();
    await shot(page, 'interrupted');
    const n_before = sent.splice(0).length;
    await free();
    await page.locator('#picker').setInputFiles(path);
    await badge(page, 'reloaded.bin', 'Clean').waitFor();
    assert.equal(await rowOf(page, 'reloaded.bin').count(), 1);
    assert.ok(n_before >= 3 && sent.length >= 1 && sent.length < 8, `${n_before}, then ${sent}`);
    assert.equal((await infoOf('reloaded.bin')).scan_result.sha256, sha256(readFileSync(path)));
    assert.equal(await page.evaluate(() => localStorage.length), 0, 'no upload is left to resume');
  });

  await test('a changed file with the same name is uploaded from the start', async () => {
    const path = file('changed.bin', 40 * MB, 4);
    const free = await throttle(page, SLOW);
    await page.locator('#picker').setInputFiles(path);
    await until(async () => await fraction(page, 'changed.bin') > 0.5);
    await page.reload();
    await badge(page, 'changed.bin', 'Interrupted').waitFor();
    await free();
    await page.locator('#picker').setInputFiles(file('changed.bin', 40 * MB, 5));
    await until(async () => (await (await fetch(`${url}/files?status=clean`)).json()).files.some((info) => info.filename === 'changed.bin'));
    const { files } = await (await fetch(`${url}/files?status=clean`)).json();
    const { scan_result: result } = files.find((info) => info.filename === 'changed.bin');
    assert.equal(result.sha256, sha256(readFileSync(path)));
  });

  await test('the network may go away in between', async () => {
    const path = file('offline.bin', 40 * MB, 6);
    const free = await throttle(page, SLOW);
    await page.locator('#picker').setInputFiles(path);
    await until(async () => await fraction(page, 'offline.bin') > 0.3);
    await free(); // both would set the same switch
    await context.setOffline(true);
    await page.waitForTimeout(3000);
    await context.setOffline(false);
    await badge(page, 'offline.bin', 'Clean').waitFor();
    assert.equal((await infoOf('offline.bin')).scan_result.sha256, sha256(readFileSync(path)));
  });

  await test('the service may go away in between', async () => {
    const path = file('restarted.bin', 40 * MB, 7);
    const free = await throttle(page, SLOW);
    await page.locator('#picker').setInputFiles(path);
    await until(async () => await fraction(page, 'restarted.bin') > 0.3);
    await service.end();
    await service.begin();
    await free();
    await badge(page, 'restarted.bin', 'Clean').waitFor();
    assert.equal((await infoOf('restarted.bin')).scan_result.sha256, sha256(readFileSync(path)));
  });

  await test('storage refuses what was damaged on the way, and it is sent again', async () => {
    const path = file('damaged.bin', 20 * MB, 8);
    let n_damaged = 0;
    const answers = [];
    page.on('response', (response) => { if (response.request().method() === 'PUT') answers.push(response.status()); });
    await page.route(/partNumber=2/, (route) => {
      if (route.request().method() !== 'PUT' || n_damaged > 0) return route.continue();
      n_damaged += 1;
      return route.continue({ postData: pseudorandom(8 * 1024 * 1024, 9) });
    });
    await page.locator('#picker').setInputFiles(path);
    await badge(page, 'damaged.bin', 'Clean').waitFor();
    await page.unroute(/partNumber=2/);
    assert.ok(n_damaged === 1 && answers.includes(400), `${n_damaged} damaged, ${answers}`);
    assert.equal((await infoOf('damaged.bin')).scan_result.sha256, sha256(readFileSync(path)));
  });

  await test('what is cancelled is gone', async () => {
    const free = await throttle(page, SLOW);
    await page.locator('#picker').setInputFiles(file('cancelled.bin', 40 * MB, 10));
    await until(async () => await fraction(page, 'cancelled.bin') > 0.2);
    await buttonOf(page, 'cancelled.bin', 'Cancel').click();
    await rowOf(page, 'cancelled.bin').waitFor({ state: 'detached' });
    await free();
    await until(async () => await infoOf('cancelled.bin') === undefined);
    await until(async () => await page.evaluate(() => localStorage.length) === 1); // the changed file can be resumed
  });

  await test('malware that spans parts is found', async () => {
    // A tar archive, stored: its second member begins just before the first part's end.
    const path = join(directory, 'spans.tar');
    writeFileSync(path, tarWithEicarAt(8 * 1024 * 1024 - 30));
    await page.locator('#picker').setInputFiles(path);
    await badge(page, 'spans.tar', 'Infected').waitFor();
  });

  await test('a folder is chosen, and another one is dropped', async () => {
    for (const name of ['chosen', 'dropped']) {
      mkdirSync(join(directory, name, 'inner'), { recursive: true });
      writeFileSync(join(directory, name, `${name}-outer.txt`), 'outer');
      writeFileSync(join(directory, name, 'inner', `${name}-inner.txt`), 'inner');
    }
    await page.locator('#folder-picker').setInputFiles(join(directory, 'chosen'));
    await badge(page, 'chosen-inner.txt', 'Clean').waitFor();
    const { x, y, width, height } = await page.locator('#drop').boundingBox();
    const session = await context.newCDPSession(page);
    const data = { items: [], files: [join(directory, 'dropped')], dragOperationsMask: 1 };
    for (const type of ['dragEnter', 'dragOver', 'drop']) {
      await session.send('Input.dispatchDragEvent', { type, x: x + width / 2, y: y + height / 2, data });
    }
    for (const name of ['chosen-outer.txt', 'dropped-outer.txt', 'dropped-inner.txt']) await badge(page, name, 'Clean').waitFor();
  });

  await test('what is pasted is uploaded', async () => {
    await page.evaluate(() => {
      const clipboardData = new DataTransfer();
      clipboardData.items.add(new File(['pasted'], 'pasted.txt', { type: 'text/plain' }));
      document.body.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true }));
    });
    await badge(page, 'pasted.txt', 'Clean').waitFor();
    await shot(page, 'uploads');
  });

  await test('the client works in Node.js as well', async () => {
    const airlock = new Airlock({ url, retries: 2 });
    const bytes = pseudorandom(20 * MB, 13);
    const upload = airlock.upload(new Blob([bytes]), { name: 'node.bin', maxDownloads: 1 });
    const statuses = [];
    for await (const info of upload) statuses.push(info.scan_status);
    const info = await upload.verdict;
    assert.deepEqual([statuses.at(-1), info.scan_result.sha256, explain(info)], ['clean', sha256(bytes), null]);
    const link = await airlock.downloadLink(info.file_id);
    assert.equal(sha256(Buffer.from(await (await fetch(link.url)).arrayBuffer())), sha256(bytes));
    await airlock.delete(info.file_id);
    for (const [act, code] of [
      [() => airlock.upload(new Blob(['MZ']), { name: 'setup.exe' }).stored, 'extension_not_allowed'],
      [() => airlock.upload(new Blob([]), { name: 'empty.txt' }).created, 'file_empty'],
      [() => airlock.downloadLink(info.file_id), 'file_gone'],
      [() => new Airlock({ url: 'http://127.0.0.1:9', retries: 1 }).file('x'), 'network'],
    ]) await assert.rejects(act, { name: 'AirlockError', code });
    const stop = new AbortController();
    const aborted = airlock.upload(new Blob([bytes]), { name: 'aborted.bin', signal: stop.signal });
    await aborted.created;
    stop.abort();
    await assert.rejects(aborted.verdict, { name: 'AbortError' });
    await until(async () => await infoOf('aborted.bin') === undefined);
  });

  console.log(`${n_passed} passed, 0 failed`);
} finally {
  await browser.close();
  await service.remove();
}

function tarWithEicarAt(offset) {
  const header = (name, size) => {
    const block = Buffer.alloc(512);
    block.write(name, 0);
    block.write('0000644\0', 100);
    block.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
    block.write('        ', 148);
    block.write('0ustar\x0000', 156);
    const sum = block.reduce((total, byte) => total + byte, 0);
    block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    return block;
  };
  const filler = (Math.floor(offset / 512) - 1) * 512;
  const member = Buffer.alloc(512);
  eicar.copy(member);
  // Past the limit above which files go in parts.
  const tail = pseudorandom(9 * 1024 * 1024, 11);
  return Buffer.concat([
    header('filler', filler), pseudorandom(filler, 12), header('bad.com', eicar.length), member, header('tail', tail.length), tail, Buffer.alloc(1024),
  ]);
}
