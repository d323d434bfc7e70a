// Drives any Uppy: uploads one file, and says how it ended.

export function drive(uppy) {
  window.uppy = uppy;
  window.upload = (file) => new Promise((resolve) => {
    const fileId = uppy.addFile({ name: file.name, type: file.type, data: file });
    window.added = fileId;
    window.progress = 0;
    uppy.on('upload-progress', (_, { bytesUploaded, bytesTotal }) => { window.progress = bytesUploaded / bytesTotal; });
    uppy.on('file-removed', () => resolve({ removed: true }));
    uppy.upload().then(({ successful, failed }) => {
      const [ended] = [...successful, ...failed];
      // What an application gets to know.
      resolve({ error: ended?.error, key: ended?.response?.body?.key, location: ended?.uploadURL });
    });
  });
}
