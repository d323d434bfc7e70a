// Uppy on top of the client: uppy.use(uppyPluginFor(BasePlugin, airlock)).

import { explain } from './explain.js';

/** Files that are sent at the same time. Files that wait for their verdict do not count. */
const PARALLEL = 3;

/**
 * An uploader for Uppy 4 to 6. A file gets its tick, and `upload-success`, once it is clean, or, with `until: 'stored'`, once it is uploaded; a file
 * that is refused or not clean is an `upload-error` with its reason. `response.body` is the file's status. `scanning` is what Uppy shows meanwhile.
 */
export function uppyPluginFor(BasePlugin, airlock, { until = 'verdict', scanning = 'Scanning' } = {}) {
  return class AirlockUpload extends BasePlugin {
    #running = new Map();

    constructor(uppy, options) {
      super(uppy, options);
      this.id = 'AirlockUpload';
      this.type = 'uploader';
    }

    install() {
      this.#setResumable(true);
      this.uppy.addUploader(this.#uploadAll);
      for (const [event, handler] of this.#handlers) this.uppy.on(event, handler);
    }

    uninstall() {
      this.#setResumable(false);
      this.uppy.removeUploader(this.#uploadAll);
      for (const [event, handler] of this.#handlers) this.uppy.off(event, handler);
    }

    #handlers = [
      ['upload-pause', (file, isPaused) => this.#setPaused(this.#running.get(file.id), isPaused)],
      ['pause-all', () => this.#running.forEach((upload) => this.#setPaused(upload, true))],
      ['resume-all', () => this.#running.forEach((upload) => this.#setPaused(upload, false))],
      ['file-removed', (file) => this.#running.get(file.id)?.abort()],
    ];

    #setResumable(resumableUploads) {
      this.uppy.setState({ capabilities: { ...this.uppy.getState().capabilities, resumableUploads } });
    }

    #setPaused(upload, isPaused) {
      if (isPaused) upload?.pause();
      else upload?.resume();
    }

    #uploadAll = async (ids) => {
      const files = ids.map((id) => this.uppy.getFile(id)).filter((file) => file && !file.error);
      this.uppy.emit('upload-start', files);
      const [queue, ended] = [[...files], []];
      const lane = async () => {
        for (let file = queue.shift(); file; file = queue.shift()) {
          const { stored, verdict } = this.#upload(file.id);
          ended.push(verdict);
          await stored;
        }
      };
      await Promise.all(Array.from({ length: PARALLEL }, lane));
      await Promise.all(ended);
    };

    /** Both promises resolve, whatever becomes of the file. */
    #upload(id) {
      const file = this.uppy.getFile(id);
      // Removed while it waited for its turn.
      if (!file) return {};
      const uploadStarted = Date.now();
      const onProgress = ({ loaded, total }) => {
        const progress = { uploader: this, bytesUploaded: loaded, bytesTotal: total, uploadStarted };
        this.uppy.emit('upload-progress', this.uppy.getFile(id), progress);
      };
      const upload = airlock.upload(file.data, { name: file.name, onProgress });
      this.#running.set(id, upload);
      return { stored: upload.stored.catch(() => {}), verdict: this.#end(id, upload) };
    }

    async #end(id, upload) {
      try {
        let info = await upload.stored;
        if (until === 'verdict') {
          // Sent, but without a tick: to Uppy the file is being processed.
          this.#setProgress(id, { uploadComplete: true, postprocess: { mode: 'indeterminate', message: scanning } });
          info = await upload.verdict;
        }
        const problem = until === 'verdict' && explain(info);
        this.#setProgress(id, { uploadComplete: !problem, postprocess: undefined });
        if (problem) this.#emit('upload-error', id, new Error(problem), { status: 200, body: info });
        else this.#emit('upload-success', id, { status: 200, body: info });
      } catch (error) {
        if (error.name === 'AbortError') return;
        this.#setProgress(id, { uploadComplete: false, postprocess: undefined });
        this.#emit('upload-error', id, error);
      } finally {
        this.#running.delete(id);
      }
    }

    #setProgress(id, changes) {
      const file = this.uppy.getFile(id);
      if (file) this.uppy.setFileState(id, { progress: { ...file.progress, ...changes } });
    }

    #emit(event, id, ...details) {
      const file = this.uppy.getFile(id);
      if (file) this.uppy.emit(event, file, ...details);
    }
  };
}
