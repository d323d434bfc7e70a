import Uppy, { BasePlugin } from '@uppy/core';
import AwsS3 from '@uppy/aws-s3';
import { airlockUpload, drive } from '../uppy.js';

window.start = ({ api, token, isInParts, isOurs }) => {
  const headers = { authorization: `Bearer ${token}` };
  drive(isOurs
    ? new Uppy().use(airlockUpload(BasePlugin, { api, token }))
    : new Uppy().use(AwsS3, { endpoint: `${api}/uppy`, headers, shouldUseMultipart: isInParts }));
};
