// What both pages' tests need: a service of their own, a browser, and a count.

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const [binary, screenshots] = process.argv.slice(2);

export const freePort = () => new Promise((resolve) => {
  const server = createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});

export class Service {
  /** With more command line options and environment variables. */
  static async start({ options = [], env = {} } = {}) {
    const service = new Service();
    service.directory = mkdtempSync(join(tmpdir(), 'airlock-page-'));
    service.ports = [await freePort(), await freePort()];
    service.url = `http://127.0.0.1:${service.ports[0]}`;
    service.options = options;
    service.env = { ...process.env, ...env };
    await service.begin();
    return service;
  }

  async begin() {
    this.process = spawn(binary, [
      'local', '--data-dir', join(this.directory, 'data'), '--definitions', 'test',
      '--listen', `127.0.0.1:${this.ports[0]}`, '--s3-listen', `127.0.0.1:${this.ports[1]}`, ...this.options,
    ], { stdio: ['ignore', 'ignore', 'inherit'], env: this.env });
    for (let n = 0; n < 200; n += 1) {
      const health = await fetch(`${this.url}/health`).catch(() => null);
      if (health?.ok) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error('the service did not start');
  }

  async end() {
    this.process.kill('SIGTERM');
    await new Promise((resolve) => this.process.on('exit', resolve));
  }

  async remove() {
    await this.end();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export const launch = (more = []) => chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', ...more],
});

export const shot = async (page, name) => {
  if (screenshots) await page.screenshot({ path: join(screenshots, `${name}.png`), fullPage: true });
};

export let n_passed = 0;

/** Runs one test, two minutes at most if nothing else is said; with `ONLY=text`, only those whose names have it. */
export async function test(name, run, patienceMs = 120_000) {
  if (!name.includes(process.env.ONLY ?? '')) return;
  let timer;
  const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error(`${name}: it does not end`)), patienceMs); });
  await Promise.race([run(), late]);
  clearTimeout(timer);
  n_passed += 1;
  console.log(`  ok: ${name}`);
}

export const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

export const rowOf = (page, name) => page.locator('li.file', { has: page.locator('.name', { hasText: name }) });

export const badge = (page, name, text) => rowOf(page, name).locator('.badge', { hasText: text });

/** Waits until `holds`, half a minute at most if nothing else is said. */
export async function until(holds, patienceMs = 30_000) {
  for (let n = 0; n < patienceMs / 100; n += 1) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`it does not come true: ${holds}`);
}

/** Bytes that look random and are the same every time, none of them twice in a row of parts (xorshift32). */
export function pseudorandom(size, seed) {
  const words = new Uint32Array(Math.ceil(size / 4));
  let state = seed * 2654435761 >>> 0 || 1;
  for (let n = 0; n < words.length; n += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[n] = state;
  }
  return Buffer.from(words.buffer, 0, size);
}

/** Limits how fast the page sends, in bytes per second; the function that it gives back lifts the limit. */
export async function throttle(page, uploadThroughput) {
  const session = await page.context().newCDPSession(page);
  const conditions = { offline: false, latency: 0, downloadThroughput: -1 };
  await session.send('Network.enable');
  await session.send('Network.emulateNetworkConditions', { ...conditions, uploadThroughput });
  return () => session.send('Network.emulateNetworkConditions', { ...conditions, uploadThroughput: -1 });
}

// In two halves, so that no scanner takes this file for the test file.
export const eicar = Buffer.from(['X5O!P%@AP[4\\PZX54(P^)7CC)7}', '$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*'].join(''));
