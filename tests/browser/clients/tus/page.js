import { Upload } from 'tus-js-client';

window.start = ({ tus }) => {
  window.upload = (file) => new Promise((resolve) => {
    const upload = new Upload(file, {
      endpoint: tus,
      chunkSize: 8 * 1024 * 1024,
      onError: (error) => resolve({ error: error.message }),
      onProgress: (sent, total) => { window.progress = sent / total; },
      onSuccess: () => resolve({ location: upload.url }),
    });
    window.tus = upload;
    upload.start();
  });
};
