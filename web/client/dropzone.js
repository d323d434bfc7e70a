// Dropzone on top of the client: const AirlockDropzone = dropzoneFor(Dropzone, airlock).

import { explain } from './explain.js';

/**
 * A Dropzone that uploads to Airlock. Its event `success` gets the file's status once the file is clean, or, with
 * `until: 'stored'`, once it is uploaded; a file that is not clean is an `error`. The option `url`, which Dropzone requires, is not used.
 */
export function dropzoneFor(Dropzone, airlock, { until = 'verdict' } = {}) {
  return class AirlockDropzone extends Dropzone {
    uploadFiles(files) {
      for (const file of files) this.#upload(file);
    }

    cancelUpload(file) {
      file.airlock?.abort();
      return super.cancelUpload(file);
    }

    async #upload(file) {
      const onProgress = ({ loaded, total }) => this.emit('uploadprogress', file, 100 * loaded / total, loaded);
      file.airlock = airlock.upload(file, { onProgress });
      try {
        const info = await (until === 'verdict' ? file.airlock.verdict : file.airlock.stored);
        const problem = until === 'verdict' && explain(info);
        if (problem) this._errorProcessing([file], problem);
        else this._finished([file], info);
      } catch (error) {
        if (error.name !== 'AbortError') this._errorProcessing([file], error.message);
      }
    }
  };
}
