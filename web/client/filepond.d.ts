import type { Airlock } from './index.js';

/** FilePond's option `server`. See filepond.js. */
export function filepondServer(airlock: Airlock, options?: { until?: 'verdict' | 'stored' }): {
  process(
    fieldName: string,
    file: Blob & { name?: string },
    metadata: unknown,
    load: (fileId: string) => void,
    error: (message: string) => void,
    progress: (isComputable: boolean, loaded: number, total: number) => void,
    abort: () => void,
  ): { abort: () => void };
  revert(fileId: string, load: () => void, error: (message: string) => void): void;
};
