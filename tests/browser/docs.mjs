// The API reference in Chromium: "Try it out" sends a request that the service answers, with and without filters;
// and people with a keyboard or a screen reader can use it.
// Usage: node docs.mjs PATH-OF-AIRLOCK [DIRECTORY-FOR-SCREENSHOTS]

import assert from 'node:assert/strict';
import { Service, eicar, launch, looksRight, n_passed, shot, test } from './support.mjs';

const service = await Service.start();
const { url } = service;
const browser = await launch();

async function upload(name, bytes) {
  const form = new FormData();
  form.append('file', new Blob([bytes]), name);
  const { file_id } = await (await fetch(`${url}/upload`, { method: 'POST', body: form })).json();
  for (;;) {
    const { file_info: info } = await (await fetch(`${url}/files/${file_id}/status`, { headers: { prefer: 'wait=5' } })).json();
    if (!['pending', 'scanning'].includes(info.scan_status)) return info;
  }
}

try {
  await upload('good.txt', Buffer.from('good'));
  await upload('bad.txt', eicar);
  const page = await browser.newPage({ viewport: { width: 1200, height: 1400 } });
  const problems = [];
  page.on('pageerror', (error) => problems.push(String(error)));
  await page.goto(`${url}/docs/`);
  const operation = page.locator('.opblock', { has: page.locator('[data-path="/files"]') }).and(page.locator('.opblock-get'));

  /** Presses Execute; the answer's body as the reference shows it. */
  async function execute() {
    const answered = page.waitForResponse((response) => new URL(response.url()).pathname === '/files');
    await operation.getByRole('button', { name: 'Execute' }).click();
    assert.equal((await answered).status(), 200);
    const shown = operation.locator('.live-responses-table .highlight-code code').first();
    await shown.waitFor();
    return (await answered).json();
  }

  await test('GET /files answers without any filter', async () => {
    await operation.locator('.opblock-summary').click();
    await operation.getByRole('button', { name: 'Try it out' }).click();
    const { files } = await execute();
    assert.deepEqual(files.map((file) => file.filename), ['bad.txt', 'good.txt']);
    await shot(page, 'docs-list');
  });

  await test('GET /files filters by the status that is chosen', async () => {
    await operation.locator('tr[data-param-name="status"] select').selectOption('infected');
    const { files } = await execute();
    assert.deepEqual(files.map((file) => [file.filename, file.scan_status]), [['bad.txt', 'infected']]);
  });

  await test('the reference is accessible in every look, closed and open', async () => {
    const other = await browser.newPage({ viewport: { width: 1200, height: 1400 } });
    await other.goto(`${url}/docs/`);
    await other.locator('.opblock').first().waitFor();
    await looksRight(other, 'docs-closed');
    // One operation of each method, with parameters, a body, an example, headers and an answer; and the schemas.
    for (const id of ['files-listFiles', 'files-createUpload', 'files-updateFile', 'files-deleteFile', 'download-followDownloadLink']) {
      await other.locator(`#operations-${id} .opblock-summary-control`).click();
    }
    await other.locator('#operations-files-listFiles').getByRole('button', { name: 'Try it out' }).click();
    await other.locator('#operations-files-listFiles').getByRole('button', { name: 'Execute' }).click();
    await other.locator('#operations-files-listFiles .live-responses-table').waitFor();
    await other.locator('#operations-files-createUpload').getByRole('button', { name: 'Try it out' }).click();
    await other.locator('section.models button').first().click();
    await other.locator('section.models article').first().waitFor();
    await looksRight(other, 'docs-open');
    await other.getByRole('button', { name: 'Authorize' }).click();
    await other.locator('.modal-ux').waitFor();
    await looksRight(other, 'docs-authorize');
    await other.close();
  });

  assert.deepEqual(problems, []);
} finally {
  await browser.close();
  await service.remove();
}
console.log(`${n_passed} tests of the API reference passed.`);
