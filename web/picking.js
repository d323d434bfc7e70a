// Collects the files that the user chooses, drops anywhere on the page (with their folders) or pastes.

/** All files of a drop, also those in folders. Must be called while the event is handled: the browser clears `transfer` afterwards. */
export function dropped(transfer) {
  const items = [...transfer.items].filter((item) => item.kind === 'file');
  const entries = items.map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile());
  return Promise.all(entries.map(filesOf)).then((lists) => lists.flat());
}

async function filesOf(entry) {
  if (entry === null) return [];
  if (entry instanceof File) return [entry];
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => { entry.file(resolve, reject); });
    return [Object.assign(file, { path: entry.fullPath.replace(/^\//, '') })];
  }
  const files = [];
  // A folder is read in batches; an empty batch is the end.
  for (const reader = entry.createReader(); ;) {
    const entries = await new Promise((resolve, reject) => { reader.readEntries(resolve, reject); });
    if (entries.length === 0) return files;
    for (const inner of entries) files.push(...await filesOf(inner));
  }
}

const hasFiles = (event) => event.dataTransfer?.types.includes('Files');

/** Calls `onFiles` with every list of files that the user drops, chooses or pastes. `curtain` covers the page during a drag. */
export function listen({ curtain, pickers, onFiles, onError }) {
  let depth = 0; // each element that is entered and left reports both
  const show = (change) => { depth = Math.max(0, depth + change); curtain.hidden = depth === 0; };
  document.addEventListener('dragenter', (event) => { if (hasFiles(event)) show(1); });
  document.addEventListener('dragleave', (event) => { if (hasFiles(event)) show(-1); });
  document.addEventListener('dragover', (event) => event.preventDefault());
  document.addEventListener('drop', (event) => {
    event.preventDefault(); // or the file would replace the page
    show(-depth);
    if (hasFiles(event)) dropped(event.dataTransfer).then(onFiles).catch(onError);
  });
  for (const picker of pickers) {
    picker.addEventListener('change', () => { onFiles([...picker.files]); picker.value = ''; });
  }
  document.addEventListener('paste', (event) => {
    if (event.target.closest?.('input, textarea')) return;
    if (event.clipboardData?.files.length) onFiles([...event.clipboardData.files]);
  });
}
