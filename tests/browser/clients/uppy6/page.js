import Uppy from '@uppy/core';
import AwsS3 from '@uppy/aws-s3';
import { drive } from '../uppy.js';

window.start = async ({ api, token, isInParts, isSigning }) => {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const ask = async (path, body) => (await fetch(api + path, { method: 'POST', headers, body: JSON.stringify(body) })).json();
  const way = isSigning
    ? { signRequest: (request) => ask('/uppy/s3/presign', request) }
    : { companionEndpoint: (await ask('/upload-tokens', {})).companion_url };
  drive(new Uppy().use(AwsS3, { ...way, shouldUseMultipart: isInParts }));
};
