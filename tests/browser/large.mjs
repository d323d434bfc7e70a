// The largest files: 1.9 GB, in parts, from Chromium (with the network lost in between) and from boto3; what comes back has the same SHA-256, and the
// service stays small. Minutes long: part of `make soak`. Usage: node large.mjs PATH-OF-AIRLOCK PYTHON-WITH-BOTO3

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Service, badge, launch, pseudorandom, rowOf, test, throttle, until } from './support.mjs';

const [binary, python] = process.argv.slice(2);
const SIZE = 1_900_000_000;
const BLOCK = 10_000_000;
const MAX_RESIDENT_MB = 250;
assert.ok(binary && python, 'usage: node large.mjs PATH-OF-AIRLOCK PYTHON-WITH-BOTO3');

const service = await Service.start({
  env: { MAX_FILE_SIZE: String(2 ** 31 - 1), INCOMING_PREFIX: 'incoming/', INCOMING_OWNERS: '{owner}/' },
});
const { url, directory } = service;
const browser = await launch();
const started = Date.now();
const seconds = () => `${Math.round((Date.now() - started) / 1000)} s`;

function write(name, seed) {
  const path = join(directory, name);
  const file = openSync(path, 'w');
  const hash = createHash('sha256');
  for (let n = 0; n < SIZE / BLOCK; n += 1) {
    const block = pseudorandom(BLOCK, seed + n);
    hash.update(block);
    writeSync(file, block);
  }
  closeSync(file);
  return { path, digest: hash.digest('hex') };
}

async function downloaded(fileId) {
  const { download_url: path } = await (await fetch(`${url}/files/${fileId}/download-link`)).json();
  const hash = createHash('sha256');
  for await (const chunk of (await fetch(url + path)).body) hash.update(chunk);
  return hash.digest('hex');
}

/** The most that the service itself has had in memory; the engine is a process of its own. */
const residentMb = () => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${service.process.pid}/status`, 'utf8'))[1]) / 1000;

try {
  await test('from Chromium, with the network lost in between', async () => {
    const { path, digest } = write('chromium.bin', 1);
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(url);
    const free = await throttle(page, 200_000_000);
    await page.locator('#picker').setInputFiles(path);
    await until(async () => await rowOf(page, 'chromium.bin').locator('progress').evaluate((bar) => bar.value) > 0.4);
    await free();
    await context.setOffline(true);
    await page.waitForTimeout(5000);
    await context.setOffline(false);
    await badge(page, 'chromium.bin', 'Clean').waitFor();
    const { files } = await (await fetch(`${url}/files`)).json();
    assert.deepEqual([files[0].file_size, files[0].scan_result.sha256], [SIZE, digest]);
    assert.equal(await downloaded(files[0].file_id), digest);
    console.log(`    judged and downloaded after ${seconds()}; the scan took ${files[0].scan_result.scan_duration} s`);
  });

  await test('from boto3', async () => {
    const { path, digest } = write('boto3.bin', 1000);
    const keys = JSON.parse(readFileSync(join(directory, 'data', 'secrets.json'), 'utf8'));
    const script = `
import boto3, sys
s3 = boto3.client("s3", endpoint_url=sys.argv[1], region_name="us-east-1", aws_access_key_id=sys.argv[2], aws_secret_access_key=sys.argv[3])
s3.upload_file(sys.argv[4], "airlock", "incoming/local/boto3.bin")
`;
    const s3 = `http://127.0.0.1:${service.ports[1]}`;
    const child = spawn(python, ['-c', script, s3, keys.access_key_id, keys.secret_access_key, path], { stdio: 'inherit' });
    assert.equal(await new Promise((resolve) => { child.on('exit', resolve); }), 0);
    let info;
    await until(async () => {
      [info] = (await (await fetch(`${url}/files?key=incoming/local/boto3.bin`)).json()).files;
      return info && !['pending', 'scanning'].includes(info.scan_status);
    });
    assert.deepEqual([info.scan_status, info.file_size, info.scan_result.sha256], ['clean', SIZE, digest]);
    assert.equal(await downloaded(info.file_id), digest);
    console.log(`    judged and downloaded after ${seconds()}; the scan took ${info.scan_result.scan_duration} s`);
  });

  await test(`the service has stayed below ${MAX_RESIDENT_MB} MB`, async () => {
    console.log(`    at most ${residentMb().toFixed(0)} MB`);
    assert.ok(residentMb() < MAX_RESIDENT_MB);
  });
} finally {
  await browser.close();
  await service.remove();
}
