// Uploads with airlock-client in React: progress, pause, the verdict, the download.

import { useCallback, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { Airlock } from 'airlock-client';
import { explain } from 'airlock-client/explain';

// With users: `token: () => session.token()`.
const airlock = new Airlock({ url: AIRLOCK_URL });

function useUploads() {
  const [uploads, setUploads] = useState([]);
  const add = useCallback((file) => {
    const id = crypto.randomUUID();
    const change = (changes) => setUploads((all) => all.map((one) => (one.id === id ? { ...one, ...changes } : one)));
    const upload = airlock.upload(file, { onProgress: ({ loaded, total }) => change({ fraction: loaded / total }) });
    setUploads((all) => [{ id, name: file.name, upload, fraction: 0, state: 'uploading' }, ...all]);
    (async () => {
      for await (const info of upload) change({ info, state: info.scan_status });
    })().catch((error) => change({ state: 'failed', error }));
    return upload;
  }, []);
  return [uploads, add];
}

function Upload({ name, upload, fraction, state, info, error }) {
  const [isPaused, setPaused] = useState(false);
  const toggle = () => { (isPaused ? upload.resume() : upload.pause()); setPaused(!isPaused); };
  const download = async () => { location.href = (await airlock.downloadLink(info.file_id)).url; };
  return (
    <li className={state}>
      <strong>{name}</strong>
      {state === 'uploading' && <progress value={fraction} />}
      <span>{error?.message ?? (info && explain(info)) ?? state}</span>
      {state === 'uploading' && <button onClick={toggle}>{isPaused ? 'Resume' : 'Pause'}</button>}
      {state === 'clean' && <button onClick={download}>Download</button>}
    </li>
  );
}

function App() {
  const [uploads, add] = useUploads();
  return (
    <main>
      <h1>React and Airlock</h1>
      <input type="file" multiple onChange={(event) => { [...event.target.files].forEach(add); event.target.value = ''; }} />
      <ul>{uploads.map((upload) => <Upload key={upload.id} {...upload} />)}</ul>
    </main>
  );
}

createRoot(document.getElementById('root')).render(<App />);
