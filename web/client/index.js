// Uploads files to Airlock from a browser, and waits for their verdicts. No dependencies; see README.md.

import { AirlockError, aborted, problemOf } from './errors.js';
import { retrying } from './retry.js';
import { Unfinished } from './unfinished.js';
import { Upload } from './upload.js';

export { AirlockError, Upload };

/** Seconds of a long poll. API Gateway allows no more. */
const LONGEST_WAIT = 20;

const localStorageOrNone = () => {
  try {
    return globalThis.localStorage ?? null;
  } catch {
    return null;
  }
};

/** Whether a verdict has been reached, or there will be none. */
export const isFinal = (info) => !['pending', 'scanning'].includes(info.scan_status);

export class Airlock {
  #url;
  #token;
  #retries;

  constructor({ url = '', token = null, retries = 8, storage = localStorageOrNone() } = {}) {
    this.#url = url.replace(/\/+$/, '');
    this.#token = token;
    this.#retries = retries;
    this.unfinished = new Unfinished(this.#url, storage);
  }

  /** Starts the upload of a `File`, or of a `Blob` with `options.name`. */
  upload(file, options = {}) {
    return new Upload(this, file, { retries: this.#retries, ...options });
  }

  /** Calls the API once. JSON in, JSON out; `null` for an empty answer. Throws an `AirlockError`. */
  async call(path, { method = 'GET', body, headers = {}, signal } = {}) {
    const token = typeof this.#token === 'function' ? await this.#token() : this.#token;
    const response = await fetch(this.#url + path, {
      method,
      signal,
      body: body === undefined ? undefined : JSON.stringify(body),
      headers: {
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(token && { authorization: `Bearer ${token}` }),
        ...headers,
      },
    }).catch((error) => {
      throw signal?.aborted ? aborted() : new AirlockError(`The service does not answer (${error.message}).`);
    });
    if (!response.ok) throw await problemOf(response);
    return response.status === 204 ? null : response.json();
  }

  /** Calls the API, with retries after transient failures. For idempotent calls. */
  request(path, options = {}) {
    const { signal, onRetry } = options;
    return retrying(() => this.call(path, options), { retries: this.#retries, signal, onRetry });
  }

  file(fileId, options) {
    return this.request(`/files/${fileId}`, options);
  }

  /** Creates a link to a clean file, and says when it expires. Everyone who has it can download the file. */
  async downloadLink(fileId, options) {
    const { download_url: path, expires_at: expiresAt } = await this.request(`/files/${fileId}/download-link`, options);
    return { url: new URL(path, this.#url || globalThis.location?.href).href, expiresAt };
  }

  async delete(fileId, options) {
    await this.request(`/files/${fileId}`, { ...options, method: 'DELETE' });
    this.unfinished.forgetId(fileId);
  }

  /** Yields a file's status: now, and after each change, until it is final. */
  async* watch(fileId, { signal } = {}) {
    for (let shown = null; ;) {
      const headers = shown === null ? {} : { prefer: `wait=${LONGEST_WAIT}` };
      const { file_info: info } = await this.request(`/files/${fileId}/status`, { headers, signal });
      if (info.scan_status !== shown) yield info;
      if (isFinal(info)) return;
      shown = info.scan_status;
    }
  }

  /** Waits for a file's verdict and returns its status. */
  async verdict(fileId, options) {
    let last;
    for await (const info of this.watch(fileId, options)) last = info;
    return last;
  }
}
