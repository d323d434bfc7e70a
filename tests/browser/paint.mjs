// Measures the first paint and the bytes of the two pages, on this machine and over a slow network; fails for a page that has grown too large.
// Usage: node paint.mjs PATH-OF-AIRLOCK

import assert from 'node:assert/strict';
import { Service, launch } from './support.mjs';

const N_LOADS = 9;
/** Both pages are small enough for a slow network; what one adds beyond this is noticed here. */
const MOST_BYTES = 200_000;
/** What browsers' tools call "Slow 4G". */
const SLOW = { offline: false, latency: 150, downloadThroughput: 1_600_000 / 8, uploadThroughput: 750_000 / 8 };

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

async function load(browser, url, network) {
  const context = await browser.newContext();
  const page = await context.newPage();
  if (network) {
    const session = await context.newCDPSession(page);
    await session.send('Network.enable');
    await session.send('Network.emulateNetworkConditions', network);
  }
  await page.goto(url, { waitUntil: 'load' });
  await page.waitForFunction(() => performance.getEntriesByName('first-contentful-paint').length > 0);
  const measured = await page.evaluate(() => {
    const [navigation] = performance.getEntriesByType('navigation');
    // Calls of the API are not parts of the page.
    const parts = performance.getEntriesByType('resource').filter(({ name }) => /\.(css|js|svg)$/.test(new URL(name).pathname));
    return {
      paint: performance.getEntriesByName('first-contentful-paint')[0].startTime,
      loaded: navigation.loadEventStart,
      requests: parts.length + 1,
      bytes: [navigation, ...parts].reduce((sum, { transferSize }) => sum + transferSize, 0),
    };
  });
  await context.close();
  return measured;
}

const service = await Service.start();
const browser = await launch();
try {
  console.log('| page | requests | bytes | first paint | loaded | first paint, slow 4G | loaded, slow 4G |');
  console.log('|---|---|---|---|---|---|---|');
  for (const path of ['/', '/monitor']) {
    const cells = [];
    let size;
    for (const network of [null, SLOW]) {
      const loads = [];
      for (let n = 0; n < N_LOADS; n += 1) loads.push(await load(browser, service.url + path, network));
      size = loads[0];
      for (const what of ['paint', 'loaded']) cells.push(`${Math.round(median(loads.map((measured) => measured[what])))} ms`);
    }
    assert.ok(size.bytes < MOST_BYTES, `${path} has ${size.bytes} bytes`);
    console.log(`| \`${path}\` | ${size.requests} | ${size.bytes.toLocaleString('en')} | ${cells.join(' | ')} |`);
  }
} finally {
  await browser.close();
  await service.remove();
}
