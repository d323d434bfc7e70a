// Takes the pictures of the documents anew. Usage: node pictures.mjs PATH-OF-AIRLOCK ../../docs/images

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { Service, badge, eicar, launch, pseudorandom } from './support.mjs';

const directory = process.argv[3];
assert.ok(directory, 'usage: node pictures.mjs PATH-OF-AIRLOCK DIRECTORY');
const service = await Service.start({ env: { SAMPLE_DOWNLOADS: 'true' } });
const browser = await launch();

try {
  const page = await browser.newPage({ viewport: { width: 1040, height: 745 } });
  await page.goto(service.url);
  for (const [name, buffer, verdict] of [
    ['Application Maria Lopez.pdf', pseudorandom(640_000, 1), 'Clean'],
    ['Invoice 4711.pdf', eicar, 'Infected'],
    ['Photos 2026.zip', Buffer.from('PK\x03\x04 this is not an archive that anybody could open'), 'Unscannable'],
    ['Plan of the site.png', pseudorandom(3_000_000, 2), 'Clean'],
  ]) {
    await page.locator('#picker').setInputFiles([{ name, mimeType: '', buffer }]);
    await badge(page, name, verdict).waitFor();
  }
  await page.locator('#queue').waitFor({ state: 'hidden' });
  await page.mouse.move(0, 0);
  await page.screenshot({ path: join(directory, 'page.png') });
  await page.setViewportSize({ width: 1040, height: 1000 });
  await page.goto(`${service.url}/monitor`);
  await page.locator('#review tr', { hasText: 'Invoice 4711.pdf' }).waitFor();
  await page.screenshot({ path: join(directory, 'monitor.png') });
} finally {
  await browser.close();
  await service.remove();
}
