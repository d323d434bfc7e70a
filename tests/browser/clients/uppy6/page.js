import Uppy, { BasePlugin } from '@uppy/core';
import AwsS3 from '@uppy/aws-s3';
import { airlockUpload, drive } from '../uppy.js';

window.start = async ({ api, token, isInParts, isSigning, isOurs }) => {
  if (isOurs) return drive(new Uppy().use(airlockUpload(BasePlugin, { api, token })));
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const ask = async (path, body) => (await fetch(api + path, { method: 'POST', headers, body: JSON.stringify(body) })).json();
  const way = isSigning
    ? { signRequest: (request) => ask('/uppy/s3/presign', request) }
    : { companionEndpoint: (await ask('/upload-tokens', {})).companion_url };
  return drive(new Uppy().use(AwsS3, { ...way, shouldUseMultipart: isInParts }));
};
