// Computes SHA-256: as a worker, of each blob that it is sent; as a module, for checksum.js.

export async function hexadecimal(blob) {
  const digest = await crypto.subtle.digest('SHA-256', await blob.arrayBuffer());
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

const isWorker = typeof WorkerGlobalScope !== 'undefined' && globalThis instanceof WorkerGlobalScope;
if (isWorker) {
  globalThis.onmessage = async ({ data: { id, blob } }) => {
    try {
      globalThis.postMessage({ id, digest: await hexadecimal(blob) });
    } catch (error) {
      globalThis.postMessage({ id, error: String(error) });
    }
  };
  globalThis.postMessage({ isReady: true });
}
