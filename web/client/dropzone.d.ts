import type { Airlock } from './index.js';

/** A Dropzone that uploads to Airlock. See dropzone.js. */
export function dropzoneFor<T extends new (...args: any[]) => object>(
  Dropzone: T,
  airlock: Airlock,
  options?: { until?: 'verdict' | 'stored' },
): T;
