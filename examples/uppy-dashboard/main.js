// Uppy's Dashboard uploads with airlock-client: the tick waits for the verdict, and a file that is not clean says why.

import Uppy, { BasePlugin } from '@uppy/core';
import Dashboard from '@uppy/dashboard';
import { Airlock } from 'airlock-client';
import { uppyPluginFor } from 'airlock-client/uppy';
import '@uppy/core/css/style.min.css';
import '@uppy/dashboard/css/style.min.css';

// With users: `token: () => session.token()`.
const airlock = new Airlock({ url: AIRLOCK_URL });

const uppy = new Uppy()
  .use(Dashboard, { inline: true, target: '#dashboard', width: '100%', height: 380, note: 'Files are checked for malware.' })
  .use(uppyPluginFor(BasePlugin, airlock));

const list = (file, status, text) => {
  const item = document.getElementById('verdicts').appendChild(document.createElement('li'));
  item.className = status;
  item.textContent = `${file.name}: ${text} `;
  return item;
};

uppy.on('upload-success', (file, { body: info }) => {
  const button = document.createElement('button');
  button.textContent = 'Download';
  button.onclick = async () => { location.href = (await airlock.downloadLink(info.file_id)).url; };
  list(file, info.scan_status, info.scan_status).append(button);
});

uppy.on('upload-error', (file, error, response) => list(file, response?.body?.scan_status ?? 'refused', error.message));
