// What both pages' tests need: a service of their own, a browser, and a count.

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const [binary, screenshots] = process.argv.slice(2);

const freePort = () => new Promise((resolve) => {
  const server = createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});

export class Service {
  static async start(...options) {
    const service = new Service();
    service.directory = mkdtempSync(join(tmpdir(), 'airlock-page-'));
    service.ports = [await freePort(), await freePort()];
    service.url = `http://127.0.0.1:${service.ports[0]}`;
    service.options = options;
    await service.begin();
    return service;
  }

  async begin() {
    this.process = spawn(binary, [
      'local', '--data-dir', join(this.directory, 'data'), '--definitions', 'test',
      '--listen', `127.0.0.1:${this.ports[0]}`, '--s3-listen', `127.0.0.1:${this.ports[1]}`, ...this.options,
    ], { stdio: ['ignore', 'ignore', 'inherit'] });
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

export const launch = () => chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync'],
});

export const shot = async (page, name) => {
  if (screenshots) await page.screenshot({ path: join(screenshots, `${name}.png`), fullPage: true });
};

export let n_passed = 0;

export async function test(name, run) {
  await run();
  n_passed += 1;
  console.log(`  ok: ${name}`);
}

// In two halves, so that no scanner takes this file for the test file.
export const eicar = Buffer.from(['X5O!P%@AP[4\\PZX54(P^)7CC)7}', '$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*'].join(''));
