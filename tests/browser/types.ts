// What an application in TypeScript writes. Compiled, never run: the types must say what the modules do.

import Uppy, { BasePlugin } from '@uppy/core';
import Dropzone from 'dropzone';
import { create } from 'filepond';
import { Airlock, AirlockError, isFinal, type FileInfo, type ScanStatus } from '../../web/client/index.js';
import { dropzoneFor } from '../../web/client/dropzone.js';
import { explain } from '../../web/client/explain.js';
import { filepondServer } from '../../web/client/filepond.js';
import { uppyPluginFor } from '../../web/client/uppy.js';

const airlock = new Airlock({ url: 'https://api.example.com', token: async () => 'token', retries: 3, storage: null });

export async function send(file: File, signal: AbortSignal): Promise<string> {
  const upload = airlock.upload(file, { signal, maxDownloads: 1, onProgress: ({ loaded, total }) => console.log(loaded / total) });
  upload.pause();
  upload.resume();
  try {
    const fileId: string = await upload.created;
    const statuses: ScanStatus[] = [];
    for await (const info of upload) statuses.push(info.scan_status);
    const info: FileInfo = await upload.verdict;
    if (!isFinal(info)) throw new Error(fileId);
    return explain(info) ?? (await airlock.downloadLink(info.file_id)).url;
  } catch (error) {
    if (error instanceof AirlockError) return `${error.code} ${error.retryAfter ?? 0}`;
    throw error;
  }
}

export const unfinished: { fileId: string; name: string; size: number }[] = airlock.unfinished.list();
export const page = airlock.request<{ files: FileInfo[] }>('/files?limit=5');
export const pond = create(document.createElement('input'), { server: filepondServer(airlock) });
export const dropzone = new (dropzoneFor(Dropzone, airlock, { until: 'stored' }))('#drop', { url: '#' });
export const uppy = new Uppy().use(uppyPluginFor(BasePlugin, airlock, { scanning: 'Checking' }));

// @ts-expect-error a name of another status
export const wrong: ScanStatus = 'unknown';
// @ts-expect-error options are checked
airlock.upload(new File([], 'a'), { pararell: 2 });
