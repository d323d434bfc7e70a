// Drives any Uppy: uploads one file, and says how it ended.

import { Airlock } from '../../../web/client/index.js';
import { uppyPluginFor } from '../../../web/client/uppy.js';

/** Our plugin, which uploads with our client. */
export const airlockUpload = (BasePlugin, { api, token }) => uppyPluginFor(BasePlugin, new Airlock({ url: api, token }));

export function drive(uppy) {
  window.uppy = uppy;
  // As Uppy's Dashboard decides it.
  window.isTicked = () => uppy.getFiles().some(({ progress, error }) => progress.uploadComplete && !progress.postprocess && !error);
  window.upload = (file) => new Promise((resolve) => {
    const fileId = uppy.addFile({ name: file.name, type: file.type, data: file });
    window.added = fileId;
    window.progress = 0;
    uppy.on('upload-progress', (_, { bytesUploaded, bytesTotal }) => { window.progress = bytesUploaded / bytesTotal; });
    uppy.on('file-removed', () => resolve({ removed: true }));
    uppy.upload().then(({ successful, failed }) => {
      const [ended] = [...successful, ...failed];
      // What an application gets to know.
      const { key, file_id: id } = ended?.response?.body ?? {};
      resolve({ error: ended?.error, key, id, location: ended?.uploadURL });
    });
  });
}
