export type ScanStatus =
  | 'pending' | 'scanning' | 'clean' | 'infected' | 'released' | 'unscannable' | 'error' | 'expired' | 'deleted';

export interface ScanResult {
  status: ScanStatus;
  /** Seconds. */
  scan_duration: number;
  /** SHA-256 of the bytes that were judged, hexadecimal. */
  sha256?: string;
  scanned_at: string;
  /** What was found. */
  signature?: string;
  /** Why there is no other verdict: stable, for programs. */
  reason?: string;
  /** The same for people. */
  explanation?: string;
  engine_version?: string;
}

/** What is known about a file. Only `clean` and `released` files can be downloaded. */
export interface FileInfo {
  file_id: string;
  filename: string;
  file_size: number | null;
  content_type: string;
  upload_timestamp: string;
  scan_status: ScanStatus;
  scan_result?: ScanResult;
  rescanning?: boolean;
  release_reason?: string;
  download_count: number;
  max_downloads?: number;
  tags: Record<string, string>;
  expires_at: string;
}

export interface AirlockOptions {
  /** Where the API is; the page's own origin if absent. */
  url?: string;
  /** The user's token, or whatever gives it: asked before every call. */
  token?: string | null | (() => string | null | Promise<string | null>);
  /** How often a call or a part is tried again after failures that may pass. 8 if absent, which is about two minutes. */
  retries?: number;
  /** Where unfinished uploads are remembered: `localStorage` if absent; `null` remembers nothing. */
  storage?: Storage | null;
}

export interface UploadOptions {
  /** The file's name; needed for a `Blob`. */
  name?: string;
  maxDownloads?: number;
  /** Opens the file, if it is encrypted, for its scan. Kept encrypted until then, and never given back. */
  password?: string;
  /** Parts that are sent at the same time. 3 if absent. */
  parallel?: number;
  /** Larger files go in parts, and go on after an interruption. In bytes; 16 MiB if absent. */
  partsAbove?: number;
  retries?: number;
  /** Aborting it is `upload.abort()`. */
  signal?: AbortSignal;
  onProgress?: (progress: { loaded: number; total: number }) => void;
  onState?: (state: 'preparing' | 'sending' | 'completing') => void;
}

export interface CallOptions {
  method?: string;
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

/** A refusal by Airlock, by storage, or by the network (`status` 0). `code` is stable; `message` is for people. */
export class AirlockError extends Error {
  readonly status: number;
  readonly code: string;
  readonly reason?: string;
  readonly requestId?: string;
  /** Seconds. */
  readonly retryAfter?: number;
}

export class Upload implements AsyncIterable<FileInfo> {
  /** `null` until `created`. */
  readonly fileId: string | null;
  /** The file's id, once the service has accepted the upload. */
  readonly created: Promise<string>;
  /** Once storage has all of it. */
  readonly stored: Promise<FileInfo>;
  /** Once its verdict is reached. */
  readonly verdict: Promise<FileInfo>;
  readonly isPaused: boolean;
  pause(): void;
  resume(): void;
  /** Gives up, and deletes what is there. */
  abort(): void;
  /** What is known about the file, whenever its status changes, until it is final. */
  [Symbol.asyncIterator](): AsyncIterator<FileInfo>;
}

export class Airlock {
  constructor(options?: AirlockOptions);
  upload(file: File | Blob, options?: UploadOptions): Upload;
  file(fileId: string, options?: CallOptions): Promise<FileInfo>;
  watch(fileId: string, options?: { signal?: AbortSignal }): AsyncGenerator<FileInfo, void>;
  verdict(fileId: string, options?: { signal?: AbortSignal }): Promise<FileInfo>;
  downloadLink(fileId: string, options?: CallOptions): Promise<{ url: string; expiresAt: string }>;
  delete(fileId: string, options?: CallOptions): Promise<void>;
  /** Calls the API once. */
  call<T = unknown>(path: string, options?: CallOptions): Promise<T>;
  /** Calls the API, and again if that may help. For calls that can be repeated without harm. */
  request<T = unknown>(path: string, options?: CallOptions): Promise<T>;
  /** Uploads in parts that were begun here and are not over. */
  readonly unfinished: {
    /** The id of the file that this one is, if it was begun. */
    find(file: File): string | null;
    list(): { fileId: string; name: string; size: number }[];
  };
}

export function isFinal(info: FileInfo): boolean;
