import type { FileInfo } from './index.js';

/** Why a file whose verdict is reached cannot be downloaded; `null` if it can. */
export function explain(info: FileInfo): string | null;
