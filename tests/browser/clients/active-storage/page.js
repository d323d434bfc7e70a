import { DirectUpload } from '@rails/activestorage';

window.start = ({ api, token, isDamaged }) => {
  const url = `${api}/rails/active_storage/direct_uploads`;
  const delegate = {
    directUploadWillStoreFileWithXHR(request) {
      request.upload.addEventListener('progress', ({ loaded, total }) => { window.progress = loaded / total; });
      const send = request.send.bind(request);
      if (isDamaged) request.send = async (body) => send(new Blob(['x', body.slice(1)]));
    },
  };
  window.upload = (file) => new Promise((resolve) => {
    new DirectUpload(file, url, delegate, { authorization: `Bearer ${token}` }).create((error, blob) => resolve({ error, ...blob }));
  });
};
