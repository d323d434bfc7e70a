// Remembers unfinished uploads in the browser, so that they can be resumed after the page was closed.

const PREFIX = 'airlock:upload:';
/** The service keeps parts for a day. */
const KEPT_MS = 24 * 60 * 60 * 1000;

/** Multipart uploads that can be resumed. Without storage (private windows, Node.js) nothing is remembered, and nothing fails. */
export class Unfinished {
  #storage;
  #url;

  constructor(url, storage) {
    this.#url = url;
    this.#storage = storage;
  }

  // A file is the same if its name, size and date are. Parts with checksums are compared by those as well.
  #key(file) {
    return PREFIX + JSON.stringify([this.#url, file.name, file.size, file.lastModified]);
  }

  find(file) {
    return this.#read(this.#key(file))?.fileId ?? null;
  }

  remember(file, fileId) {
    try {
      this.#storage?.setItem(this.#key(file), JSON.stringify({ fileId, name: file.name, size: file.size, at: Date.now() }));
    } catch {
      // Full, or forbidden: this upload cannot be resumed after a reload.
    }
  }

  forget(file) {
    this.#storage?.removeItem(this.#key(file));
  }

  forgetId(fileId) {
    for (const { key } of this.#entries().filter((entry) => entry.fileId === fileId)) this.#storage.removeItem(key);
  }

  /** `{ fileId, name, size }` of each. */
  list() {
    return this.#entries().map(({ fileId, name, size }) => ({ fileId, name, size }));
  }

  #entries() {
    const keys = Array.from({ length: this.#storage?.length ?? 0 }, (_, n) => this.#storage.key(n));
    const ours = keys.filter((key) => key?.startsWith(PREFIX + JSON.stringify([this.#url]).slice(0, -1)));
    return ours.map((key) => ({ key, ...this.#read(key) })).filter((entry) => entry.fileId);
  }

  #read(key) {
    try {
      const entry = JSON.parse(this.#storage?.getItem(key) ?? 'null');
      if (!entry || Date.now() - entry.at < KEPT_MS) return entry;
    } catch {
      // Not written by this client.
    }
    this.#storage.removeItem(key);
    return null;
  }
}
