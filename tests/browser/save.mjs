// Has Chromium download from each address, and prints the SHA-256 of each saved file, or the error, as a JSON
// array. Usage: node save.mjs URL...

import { readFileSync } from 'node:fs';
import { launch, sha256 } from './support.mjs';

const browser = await launch();

async function saved(address) {
  const context = await browser.newContext({ acceptDownloads: true });
  const page = await context.newPage();
  try {
    const [download] = await Promise.all([
      page.waitForEvent('download', { timeout: 30_000 }),
      // It becomes a download, which ends the navigation.
      page.goto(address).catch(() => null),
    ]);
    return sha256(readFileSync(await download.path()));
  } catch (error) {
    return `error: ${error.message}`;
  } finally {
    await context.close();
  }
}

try {
  const digests = [];
  for (const address of process.argv.slice(2)) digests.push(await saved(address));
  console.log(JSON.stringify(digests));
} finally {
  await browser.close();
}
