import Uppy from '@uppy/core';
import AwsS3 from '@uppy/aws-s3';
import { drive } from '../uppy.js';

window.start = ({ api, token, isInParts }) =>
  drive(new Uppy().use(AwsS3, { endpoint: `${api}/uppy`, headers: { authorization: `Bearer ${token}` }, shouldUseMultipart: isInParts }));
