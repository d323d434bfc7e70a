import { uploadFile } from '@better-upload/client';

window.start = ({ api, token }) => {
  const options = { api: `${api}/better-upload`, route: 'default', headers: { authorization: `Bearer ${token}` } };
  window.upload = async (file) => {
    const stop = new AbortController();
    window.abort = () => stop.abort();
    window.progress = 0;
    try {
      const onFileStateChange = ({ file: state }) => { window.progress = state.progress; window.error = state.error; };
      const { file: done, metadata } = await uploadFile({ ...options, file, signal: stop.signal, onFileStateChange });
      return { key: done.objectInfo.key, metadata };
    } catch (error) {
      return { error: error.message };
    }
  };
};
