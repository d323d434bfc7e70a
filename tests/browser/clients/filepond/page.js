import * as FilePond from 'filepond';
import { Airlock } from '../../../../web/client/index.js';
import { filepondServer } from '../../../../web/client/filepond.js';

window.start = ({ api, token }) => {
  const pond = FilePond.create(document.body.appendChild(document.createElement('input')), {
    server: filepondServer(new Airlock({ url: api, token })),
    labelFileProcessingError: (error) => error.body,
  });
  window.pond = pond;
  pond.on('processfileprogress', (_, progress) => { window.progress = progress; });
  window.upload = (file) => new Promise((resolve) => {
    pond.on('processfile', (error, item) => resolve({ error: error?.body, id: item.serverId }));
    pond.on('processfileabort', () => resolve({ removed: true }));
    pond.addFile(file);
  });
};
