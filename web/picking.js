// Collects the files that the user chooses, drops (with their folders) or pastes.

/** All files of a drop, also those in folders. Must be called while the event is handled: the browser clears `transfer` afterwards. */
export function dropped(transfer) {
  const items = [...transfer.items].filter((item) => item.kind === 'file');
  const entries = items.map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile());
  return Promise.all(entries.map(filesOf)).then((lists) => lists.flat());
}

async function filesOf(entry) {
  if (entry === null) return [];
  if (entry instanceof File) return [entry];
  if (entry.isFile) return [await new Promise((resolve, reject) => { entry.file(resolve, reject); })];
  const files = [];
  // A folder is read in batches; an empty batch is the end.
  for (const reader = entry.createReader(); ;) {
    const entries = await new Promise((resolve, reject) => { reader.readEntries(resolve, reject); });
    if (entries.length === 0) return files;
    for (const inner of entries) files.push(...await filesOf(inner));
  }
}

/** Calls `onFiles` with every list of files that the user drops, chooses or pastes. */
export function listen({ dropZone, pickers, onFiles, onError }) {
  for (const name of ['dragenter', 'dragover']) {
    dropZone.addEventListener(name, (event) => { event.preventDefault(); dropZone.classList.add('over'); });
  }
  for (const name of ['dragleave', 'drop']) dropZone.addEventListener(name, () => dropZone.classList.remove('over'));
  dropZone.addEventListener('drop', (event) => {
    event.preventDefault();
    dropped(event.dataTransfer).then(onFiles).catch(onError);
  });
  // A file that misses the drop zone must not replace the page.
  for (const name of ['dragover', 'drop']) document.addEventListener(name, (event) => event.preventDefault());
  for (const picker of pickers) {
    picker.addEventListener('change', () => { onFiles([...picker.files]); picker.value = ''; });
  }
  document.addEventListener('paste', (event) => {
    if (event.target.closest?.('input, textarea')) return;
    if (event.clipboardData?.files.length) onFiles([...event.clipboardData.files]);
  });
}
