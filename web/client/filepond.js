// FilePond's `server` option, on top of the client: FilePond.setOptions({ server: filepondServer(airlock) }).

import { explain } from './explain.js';

/**
 * `until: 'verdict'`: a file is done when it is clean, and has failed when it is not. `until: 'stored'`: a file is done
 * once it is uploaded; your server asks for its verdict. FilePond puts the file's id into the form.
 */
export function filepondServer(airlock, { until = 'verdict' } = {}) {
  return {
    process(_fieldName, file, _metadata, load, error, progress, abort) {
      const upload = airlock.upload(file, { onProgress: ({ loaded, total }) => progress(true, loaded, total) });
      (until === 'verdict' ? upload.verdict : upload.stored)
        .then((info) => {
          const problem = until === 'verdict' && explain(info);
          if (problem) error(problem);
          else load(info.file_id);
        })
        .catch((reason) => { if (reason.name !== 'AbortError') error(reason.message); });
      return { abort: () => { upload.abort(); abort(); } };
    },
    revert(fileId, load, error) {
      airlock.delete(fileId).then(load, (reason) => error(reason.message));
    },
  };
}
