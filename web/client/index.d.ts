export type ScanStatus =
  | 'pending' | 'scanning' | 'clean' | 'infected' | 'released' | 'unscannable' | 'error' | 'expired' | 'deleted';

export interface ScanResult {
  status: ScanStatus;
  /** Seconds. */
  scan_duration: number;
  /** SHA-256 of the bytes that were judged, hexadecimal. */
  sha256?: string;
  scanned_at: string;
  /** The name of the finding. */
  signature?: string;
  /** Why there is no other verdict: stable, for programs. */
  reason?: string;
  /** The same for people. */
  explanation?: string;
  engine_version?: string;
}

/** A file and its status. Only `clean` and `released` files can be downloaded. */
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
  release_revoked_reason?: string;
  download_count: number;
  max_downloads?: number;
  tags: Record<string, string>;
  expires_at: string;
}

export interface AirlockOptions {
  /** The URL of the API; the page's own origin if absent. */
  url?: string;
  /** The user's token, or a function that returns it, called before every request. */
  token?: string | null | (() => string | null | Promise<string | null>);
  /** How often a call or a part is retried after transient failures. 8 if absent, which is about two minutes. */
  retries?: number;
  /** Where unfinished uploads are remembered: `localStorage` if absent; `null` remembers nothing. */
  storage?: Storage | null;
}

export interface UploadOptions {
  /** The file's name; needed for a `Blob`. */
  name?: string;
  maxDownloads?: number;
  /** Opens the file, if it is encrypted, for its scan. Kept encrypted until then, and never returned. */
  password?: string;
  /** Parts that are sent at the same time. 3 if absent. */
  parallel?: number;
  /** Larger files are uploaded in parts and can be resumed. In bytes; 16 MiB if absent. */
  partsAbove?: number;
  retries?: number;
  /** Aborting this signal is `upload.abort()`. */
  signal?: AbortSignal;
  onProgress?: (progress: { loaded: number; total: number }) => void;
  onState?: (state: 'preparing' | 'sending' | 'completing') => void;
  /** Before each pause of a retry, with its number and the maximum. */
  onRetry?: (error: AirlockError, progress: { retry: number; retries: number }) => void;
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
  /** The origin of the storage that could not be reached. */
  readonly storageUrl?: string;
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
  /** Cancels the upload and deletes the file. */
  abort(): void;
  /** Yields the file's status after each change, until it is final. */
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
  /** Calls the API, with retries after transient failures. For idempotent calls. */
  request<T = unknown>(path: string, options?: CallOptions): Promise<T>;
  /** Unfinished multipart uploads of this browser. */
  readonly unfinished: {
    /** The id of this file's unfinished upload. */
    find(file: File): string | null;
    list(): { fileId: string; name: string; size: number }[];
  };
}

export function isFinal(info: FileInfo): boolean;
