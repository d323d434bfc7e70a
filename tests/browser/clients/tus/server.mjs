// A tus server that knows nothing of Airlock: it keeps its uploads below the bucket's incoming prefix.
// Usage: node server.mjs PORT S3-URL ACCESS-KEY SECRET-KEY

import { randomUUID } from 'node:crypto';
import { S3Store } from '@tus/s3-store';
import { Server } from '@tus/server';

const [port, endpoint, accessKeyId, secretAccessKey] = process.argv.slice(2);
const datastore = new S3Store({
  partSize: 8 * 1024 * 1024,
  s3ClientConfig: { bucket: 'airlock', region: 'us-east-1', endpoint, forcePathStyle: true, credentials: { accessKeyId, secretAccessKey } },
});
const server = new Server({
  path: '/files',
  datastore,
  // The second part of the key says whose it is.
  namingFunction: () => `incoming/alice/${randomUUID()}`,
  generateUrl: (_, { proto, host, path, id }) => `${proto}://${host}${path}/${Buffer.from(id).toString('base64url')}`,
  getFileIdFromRequest: (_, lastPath) => Buffer.from(lastPath, 'base64url').toString(),
});
server.listen({ host: '127.0.0.1', port: Number(port) });
