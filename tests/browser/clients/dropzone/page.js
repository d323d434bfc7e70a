import Dropzone from 'dropzone';
import { Airlock } from '../../../../web/client/index.js';
import { dropzoneFor } from '../../../../web/client/dropzone.js';

window.start = ({ api, token }) => {
  const AirlockDropzone = dropzoneFor(Dropzone, new Airlock({ url: api, token }));
  const dropzone = new AirlockDropzone(document.body.appendChild(document.createElement('div')), { url: '#', maxFilesize: null });
  window.dropzone = dropzone;
  dropzone.on('uploadprogress', (_, percent) => { window.progress = percent / 100; });
  window.upload = (file) => new Promise((resolve) => {
    dropzone.on('success', (_, info) => resolve({ id: info.file_id, info }));
    // A file that the user takes away is an error as well, to Dropzone.
    dropzone.on('error', (file, error) => resolve(file.status === Dropzone.CANCELED ? { removed: true } : { error }));
    dropzone.addFile(file);
  });
};
