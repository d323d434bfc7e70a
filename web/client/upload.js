// The upload of one file to storage.

import { AirlockError, aborted } from './errors.js';
import { hasChecksums, sha256 } from './checksum.js';
import { retrying } from './retry.js';
import { send } from './send.js';

const MIB = 1024 * 1024;

/** A running upload. `created`, `stored` and `verdict` are promises; the upload itself can be iterated over. */
export class Upload {
  #airlock;
  #file;
  #options;
  #stop = new AbortController();
  #attempt = new AbortController(); // ends with each pause
  #resumed = null;
  #loaded = new Map(); // bytes by part; the whole file is part 0

  constructor(airlock, file, options) {
    const { name = file.name, parallel = 3, partsAbove = 16 * MIB, ...rest } = options;
    this.#airlock = airlock;
    this.#file = file;
    this.#options = { name, parallel, partsAbove, onProgress: () => {}, onState: () => {}, onRetry: () => {}, ...rest };
    this.fileId = null;
    let created;
    this.created = new Promise((resolve, reject) => { created = { resolve, reject }; });
    this.stored = this.#run(created.resolve);
    this.stored.catch(created.reject);
    // A caller may wait for one of them and not for the others.
    for (const promise of [this.created, this.stored]) promise.catch(() => {});
    options.signal?.addEventListener('abort', () => this.abort(), { once: true });
    if (options.signal?.aborted) this.abort();
  }

  /** The file's status with its verdict. Rejects if the upload fails. */
  get verdict() {
    return this.stored.then((info) => this.#airlock.verdict(info.file_id, { signal: this.#stop.signal }));
  }

  /** Yields the file's status after each change, until it is final. */
  async* [Symbol.asyncIterator]() {
    const { file_id: fileId } = await this.stored;
    yield* this.#airlock.watch(fileId, { signal: this.#stop.signal });
  }

  get isPaused() {
    return this.#resumed !== null;
  }

  /** Stops sending. Parts that are stored are kept; a part in transit is sent again. */
  pause() {
    if (this.#resumed) return;
    let resume;
    this.#resumed = { promise: new Promise((resolve) => { resume = resolve; }), resume };
    this.#attempt.abort();
  }

  resume() {
    const { resume } = this.#resumed ?? {};
    this.#resumed = null;
    this.#attempt = new AbortController();
    resume?.();
  }

  /** Cancels the upload and deletes the file. `created` and `stored` reject with an `AbortError`, unless they are settled. */
  abort() {
    this.#stop.abort();
    this.#attempt.abort();
    this.resume();
    this.created.then((fileId) => this.#airlock.delete(fileId)).catch(() => {});
  }

  async #run(created) {
    const file = this.#file;
    const begin = (fileId) => { this.fileId = fileId; created(fileId); };
    if (file.size > this.#options.partsAbove) await this.#inParts(begin);
    else await this.#whole(begin);
    this.#options.onState('completing');
    const info = await this.#request(`/files/${this.fileId}/complete`, { method: 'POST', body: {} });
    this.#airlock.unfinished.forget(file);
    return info;
  }

  async #whole(begin) {
    this.#options.onState('preparing');
    const checksum = hasChecksums() ? { checksum_sha256: await sha256(this.#file) } : {};
    const { file_id: fileId, upload } = await this.#announce(checksum);
    begin(fileId);
    this.#options.onState('sending');
    await this.#sending(0, upload, this.#file);
  }

  async #inParts(begin) {
    const { fileId, partSize, stored, hasPartChecksums } = await this.#earlier() ?? await this.#announceParts();
    begin(fileId);
    this.#airlock.unfinished.remember(this.#file, fileId);
    this.#options.onState('sending');
    const numbers = Array.from({ length: Math.ceil(this.#file.size / partSize) }, (_, n) => n + 1);
    const lane = async () => {
      for (let number = numbers.shift(); number !== undefined; number = numbers.shift()) {
        const part = this.#file.slice((number - 1) * partSize, number * partSize);
        await this.#part(fileId, number, part, stored.get(number), hasPartChecksums);
      }
    };
    await Promise.all(Array.from({ length: this.#options.parallel }, lane)).catch((error) => {
      this.#attempt.abort(); // the other lanes have nothing left to do
      throw error;
    });
  }

  async #announceParts() {
    const hasPartChecksums = hasChecksums();
    const { file_id: fileId, upload } = await this.#announce({ method: 'multipart', part_checksums: hasPartChecksums });
    return { fileId, partSize: upload.part_size, stored: new Map(), hasPartChecksums };
  }

  // What an earlier page has begun, if it can go on.
  async #earlier() {
    const fileId = this.#airlock.unfinished.find(this.#file);
    if (!fileId) return null;
    try {
      const list = await this.#request(`/files/${fileId}/parts`);
      const stored = new Map(list.parts.map((part) => [part.part_number, part]));
      const hasPartChecksums = list.part_checksums;
      if (hasPartChecksums && !hasChecksums()) return null;
      return { fileId, partSize: list.part_size, stored, hasPartChecksums };
    } catch (error) {
      if (!(error instanceof AirlockError) || error.status === 0 || error.status >= 500) throw error;
      this.#airlock.unfinished.forget(this.#file);
      return null;
    }
  }

  async #part(fileId, number, part, stored, hasChecksum) {
    const checksum = hasChecksum ? await sha256(part) : undefined;
    // Without checksums, size is all that can be compared.
    if (stored?.size === part.size && stored.checksum_sha256 === checksum) {
      this.#progress(number, part.size);
      return;
    }
    const wanted = { parts: [{ part_number: number, ...(checksum && { checksum_sha256: checksum }) }] };
    const ask = () => this.#request(`/files/${fileId}/parts`, { method: 'POST', body: wanted });
    await this.#sending(number, async () => (await ask()).parts[0], part);
  }

  // Sends, and retries after a pause or a transient failure. `instructions` is the request, or a function that requests one.
  #sending(number, instructions, body) {
    const given = typeof instructions === 'function' ? instructions : () => instructions;
    // Of storage: 400, damaged in transit; 403, expired, and the next attempt requests another one; 409, an earlier attempt is still running.
    const transient = typeof instructions === 'function' ? [400, 403, 409] : [409];
    const isTemporary = (error) => error.isOfStorage && transient.includes(error.status);
    const attempt = async () => {
      const request = await given();
      const onProgress = (bytes) => this.#progress(number, bytes);
      await this.#unlessPaused(() => send(request, body, { signal: this.#attempt.signal, onProgress }).catch((error) => {
        // Nothing of a part is kept unless all of it arrived; this is what a paused upload reports, too.
        this.#progress(number, 0);
        throw error;
      })).catch((error) => {
        // A PUT works once: an earlier attempt was stored, and its answer was lost.
        if (error.status !== 412) throw error;
      });
      this.#progress(number, body.size);
    };
    const { retries, onRetry } = this.#options;
    return retrying(attempt, { retries, onRetry, signal: this.#stop.signal, isTemporary });
  }

  async #unlessPaused(act) {
    for (;;) {
      await this.#resumed?.promise;
      if (this.#stop.signal.aborted) throw aborted();
      try {
        return await act();
      } catch (error) {
        if (error.name !== 'AbortError' || this.#stop.signal.aborted) throw error;
        if (!this.#resumed && this.#attempt.signal.aborted) throw error;
      }
    }
  }

  #announce(more) {
    const { name, maxDownloads, password, retries, onRetry } = this.#options;
    const body = {
      filename: name, size: this.#file.size, content_type: this.#file.type || undefined, max_downloads: maxDownloads,
      password: password || undefined, ...more,
    };
    // A retry after a lost answer must not create a second file.
    const headers = { 'idempotency-key': crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}` };
    // Not aborted in transit: the file might exist then, without an id by which it could be deleted.
    const ask = () => this.#airlock.call('/files', { method: 'POST', body, headers });
    return retrying(ask, { retries, onRetry, signal: this.#stop.signal });
  }

  #request(path, options) {
    return this.#airlock.request(path, { ...options, onRetry: this.#options.onRetry, signal: this.#stop.signal });
  }

  #progress(number, bytes) {
    this.#loaded.set(number, bytes);
    const loaded = [...this.#loaded.values()].reduce((sum, part) => sum + part, 0);
    this.#options.onProgress({ loaded: Math.min(loaded, this.#file.size), total: this.#file.size });
  }
}
