// What pdf.js gives out of a document: attachments, files of annotations and of the outline, XMP, scripts, pictures and XFA. The same questions are
// asked in Node (`read.mjs`) and in a browser (`chromium.mjs`), where pdf.js decodes with other parts: a worker, streams of the browser, WebAssembly.

const MAX_PAGES = 9;

/** Yields each content, as bytes or as text. What cannot be read is left out. */
export async function* contentsOf(pdfjs, bytes, options) {
  const common = { verbosity: pdfjs.VerbosityLevel.ERRORS, isEvalSupported: false, isOffscreenCanvasSupported: false, ...options };
  const open = enableXfa => pdfjs.getDocument({ ...common, enableXfa, data: new Uint8Array(bytes).slice() }).promise;
  const document = await open(true);
  yield* ofDocument(pdfjs, document);
  // A document of XFA alone has annotations as well, for programs that know no XFA.
  if (document.isPureXfa) yield* ofDocument(pdfjs, await open(false));
}

async function* ofDocument(pdfjs, document) {
  const attached = await orNothing(document.getAttachments());
  for (const { content } of Object.values(attached ?? {})) yield content;
  yield (await orNothing(document.getMetadata()))?.metadata?.getRaw();
  for (const scripts of Object.values(await orNothing(document.getJSActions()) ?? {})) yield* scripts;
  yield* ofOutline(await orNothing(document.getOutline()));
  for (let number = 1; number <= Math.min(document.numPages, MAX_PAGES); number++) {
    const page = await orNothing(document.getPage(number));
    if (page) yield* ofPage(pdfjs, page);
  }
}

async function* ofOutline(items) {
  for (const { attachment, items: inner } of items ?? []) {
    yield attachment?.content;
    yield* ofOutline(inner);
  }
}

async function* ofPage(pdfjs, page) {
  for (const { file, attachment } of await orNothing(page.getAnnotations()) ?? []) {
    yield file?.content;
    yield attachment?.content;
  }
  yield* ofXfa(await orNothing(page.getXfa()));
  const { OPS } = pdfjs;
  const { fnArray = [], argsArray } = await orNothing(page.getOperatorList()) ?? {};
  for (const [index, operator] of fnArray.entries()) {
    const [argument] = argsArray[index] ?? [];
    if (operator === OPS.paintInlineImageXObject) yield argument?.data;
    if (operator !== OPS.paintImageXObject) continue;
    const objects = argument.startsWith("g_") ? page.commonObjs : page.objs;
    yield (await new Promise(resolve => { objects.get(argument, resolve); }))?.data;
  }
}

/** Pictures and values of a form: pdf.js makes an address of its own (`blob:`) for each picture. */
async function* ofXfa(node) {
  if (!node) return;
  const { src, href } = node.attributes ?? {};
  for (const address of [src, href]) {
    if (/^(blob|data):/.test(address)) yield (await orNothing(fetch(address).then(answer => answer.arrayBuffer())));
  }
  yield node.value;
  for (const child of node.children ?? []) yield* ofXfa(child);
}

function orNothing(promise) {
  return promise.catch(() => null);
}
