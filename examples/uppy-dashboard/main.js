// Uppy's Dashboard uploads to Airlock with its own S3 plugin; the verdict is asked for by the key that Uppy was given.

import Uppy from '@uppy/core';
import AwsS3 from '@uppy/aws-s3';
import Dashboard from '@uppy/dashboard';
import '@uppy/core/css/style.min.css';
import '@uppy/dashboard/css/style.min.css';

const api = AIRLOCK_URL;

// With users: your server asks `POST /upload-tokens` for them, and its `companion_url` goes here.
const companionEndpoint = `${api}/uppy`;

const uppy = new Uppy()
  .use(Dashboard, { inline: true, target: '#dashboard', width: '100%', height: 380, note: 'Files are checked for malware.' })
  .use(AwsS3, { companionEndpoint });

uppy.on('upload-success', async (file, { body: { key } }) => {
  const item = document.getElementById('verdicts').appendChild(document.createElement('li'));
  for (let info = { scan_status: 'pending' }; ['pending', 'scanning'].includes(info.scan_status);) {
    item.textContent = `${file.name}: ${info.scan_status} …`;
    await new Promise((resolve) => setTimeout(resolve, 500));
    [info] = (await (await fetch(`${api}/files?key=${encodeURIComponent(key)}`)).json()).files;
    item.className = info.scan_status;
    item.textContent = `${file.name}: ${info.scan_status} ${info.scan_result?.signature ?? ''}`;
  }
});
