// What both pages' tests need: a service of their own, a browser, and a count.

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
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
    this.ended = new Promise((resolve) => { this.process.on('exit', resolve); });
    await until(async () => {
      if (this.process.exitCode !== null) throw new Error('the service did not start');
      return (await fetch(`${this.url}/health`).catch(() => null))?.ok;
    });
  }

  async end() {
    this.process.kill('SIGTERM');
    await this.ended;
  }

  async remove() {
    await this.end();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** A browser whose waits have no limits of their own. */
export async function launch(more = []) {
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    timeout: LIMIT_MS,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync', ...more],
  });
  const newContext = browser.newContext.bind(browser);
  browser.newContext = async (options) => {
    const context = await newContext(options);
    context.setDefaultTimeout(0);
    return context;
  };
  browser.newPage = async (options) => (await browser.newContext(options)).newPage();
  return browser;
}

export const shot = async (page, name) => {
  if (screenshots) await page.screenshot({ path: join(screenshots, `${name}.png`), fullPage: true });
};

export let n_passed = 0;

/**
 * For one script as a whole, and the only limit there is: no test fails because the machine is busy. Far more than any of them takes. What was
 * started is ended then, as after any failure; if that does not work either, the script ends by itself.
 */
const LIMIT_MS = 60 * 60_000;
const late = new Promise((_, reject) => { setTimeout(reject, LIMIT_MS).unref(); });
late.catch(() => {});
setTimeout(() => process.exit(1), LIMIT_MS + 60_000).unref();
let awaited = 'nothing';

/** Runs one test; with `ONLY=text`, only those whose names have it. */
export async function test(name, run) {
  if (!name.includes(process.env.ONLY ?? '')) return;
  const tooLate = () => { throw new Error(`${name}: it does not end; last awaited: ${awaited}`); };
  await Promise.race([run(), late.catch(tooLate)]);
  n_passed += 1;
  console.log(`  ok: ${name}`);
}

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** What axe finds on the page as it is, in every rule that it has. */
export async function axeViolations(page) {
  await page.evaluate(axeSource);
  const { violations, passes } = await page.evaluate(() => globalThis.axe.run());
  if (passes.length < 10) throw new Error('axe looked at nothing');
  return violations.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => `${id}: ${target} ${failureSummary}`));
}

/** Runs `look` with the page in the light, in the dark and on a phone. */
export async function inEveryLook(page, look) {
  const wide = page.viewportSize();
  for (const colorScheme of ['light', 'dark']) {
    for (const [device, viewport] of [['desk', wide], ['phone', { width: 390, height: 844 }]]) {
      // Without motion: colours between two schemes belong to neither.
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await page.setViewportSize(viewport);
      await look(`${device}-${colorScheme}`);
    }
  }
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: null });
  await page.setViewportSize(wide);
}

/** The page is accessible as axe judges it, and nothing is wider than the window, in every look. */
export async function looksRight(page, name) {
  await inEveryLook(page, async (look) => {
    await shot(page, `${name}-${look}`);
    const found = await axeViolations(page);
    const isTooWide = await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
    if (found.length > 0 || isTooWide) throw new Error(`${name}, ${look}: ${isTooWide ? 'too wide; ' : ''}${found.join('\n')}`);
  });
}

export const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

export const rowOf = (page, name) => page.locator('li.file', { has: page.locator('.name', { hasText: name }) });

export const badge = (page, name, text) => rowOf(page, name).locator('.badge', { hasText: text });

/** A button of a file's row, by its whole name: others may have the word in theirs. */
export const buttonOf = (page, name, action) => rowOf(page, name).getByRole('button', { name: `${action} ${name}`, exact: true });

const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

/** Waits until `holds`. */
export async function until(holds) {
  awaited = holds;
  while (!await holds()) await pause(100);
}

/** Waits until `progress` stands still, and says where: on the way, if what moved it was stopped, and at 1, if it was not. */
export async function standsStill(progress) {
  let [before, now] = [-1, await progress()];
  while (before !== now) {
    await pause(1500);
    [before, now] = [now, await progress()];
  }
  return now;
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
