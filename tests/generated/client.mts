// Uses the types that openapi-typescript generated, with openapi-fetch: upload, wait, list with filters, download.

import createClient from 'openapi-fetch';
import type { components, paths } from './api.js';

type FileInfo = components['schemas']['FileInfo'];
type Status = components['schemas']['StatusName'];
declare const process: { argv: string[] };

const url = process.argv[2] ?? '';
const client = createClient<paths>({ baseUrl: url });
// In two halves, so that no scanner takes this file for the test file.
const eicar = ['X5O!P%@AP[4\\PZX54(P^)7CC)7}', '$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*'].join('');

function assert(holds: boolean, what: unknown): asserts holds {
  if (!holds) throw new Error(JSON.stringify(what));
}

async function uploadToStorage(filename: string, text: string): Promise<string> {
  const { data, error } = await client.POST('/files', { body: { filename, size: text.length } });
  assert(data !== undefined, error);
  const { method, url: target, headers } = data.upload;
  const sent = await fetch(target, { method, headers: headers ?? {}, body: text });
  assert(sent.ok, sent.status);
  return data.file_id;
}

async function uploadByForm(filename: string, text: string): Promise<string> {
  const { data, error } = await client.POST('/upload', {
    body: { file: text },
    bodySerializer: (body) => {
      const form = new FormData();
      form.append('file', new Blob([body.file]), filename);
      return form;
    },
  });
  assert(data !== undefined, error);
  return data.file_id;
}

async function verdict(file_id: string): Promise<FileInfo> {
  for (;;) {
    const { data, error } = await client.GET('/files/{file_id}/status', {
      params: { path: { file_id }, header: { Prefer: 'wait=20' } },
    });
    assert(data !== undefined, error);
    if (data.file_info.scan_status !== 'pending' && data.file_info.scan_status !== 'scanning') return data.file_info;
  }
}

async function listed(status: Status): Promise<string[]> {
  const found: string[] = [];
  let cursor: string | undefined;
  do {
    const query = cursor === undefined ? { status, limit: 1 } : { status, limit: 1, cursor };
    const { data, error } = await client.GET('/files', { params: { query } });
    assert(data !== undefined, error);
    assert(data.files.length <= 1, data);
    found.push(...data.files.map((file) => file.file_id));
    cursor = data.next_cursor ?? undefined;
  } while (cursor !== undefined);
  return found;
}

const good = [await uploadToStorage('one.txt', 'one'), await uploadToStorage('two.txt', 'two')] as const;
const bad = await uploadByForm('bad.txt', eicar);
for (const id of good) assert((await verdict(id)).scan_status === 'clean', id);
const infected = await verdict(bad);
assert(infected.scan_status === 'infected' && Boolean(infected.scan_result?.signature), infected);

// The filter filters, and the cursor leads through all pages.
for (const [status, ids] of [['clean', [good[1], good[0]]], ['infected', [bad]], ['error', []]] as const) {
  const found = await listed(status);
  assert(found.join() === ids.join(), { status, found, ids });
}

const { data: link } = await client.GET('/files/{file_id}/download-link', { params: { path: { file_id: good[0] } } });
assert(link !== undefined, 'no link');
const { data: address } = await client.GET('/download/{token}', {
  params: { path: { token: link.download_url.replace('/download/', '') } },
  headers: { accept: 'application/json' },
});
assert(address !== undefined, 'no address');
assert(await (await fetch(address.url)).text() === 'one', address);

const refused = await client.GET('/files/{file_id}/download-link', { params: { path: { file_id: bad } } });
assert(refused.error?.code === 'infected', refused.error);
console.log('ok');
