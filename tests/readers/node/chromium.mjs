// What a browser gets out of files: node chromium.mjs. Each line of its input is JSON, {"reader", "file", "directory"}, answered with a line once
// everything that was found is in the directory. One Chromium opens all of them, each in a context, and so a process, of its own.
// It ends with its input.
import { createReadStream } from "node:fs";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const HERE = import.meta.dirname;
const LIMIT_MS = 20_000;
// How long a page's scripts may take to begin a download after the last click.
const PATIENCE_MS = 300;
const TYPES = { "": "text/html", ".mjs": "text/javascript", ".wasm": "application/wasm" };
// What Chromium shows, by its name, when it opens a file of the disk. It would download others.
const SHOWN = [".html", ".htm", ".xhtml", ".xht", ".svg", ".mht", ".mhtml"];

let asked;
/** The file that is asked about, as it is and as a page; pdf.js as its package has it, and its questions. */
const server = createServer(({ url }, response) => {
  const { pathname } = new URL(url, "http://localhost");
  response.setHeader("content-type", TYPES[extname(pathname)] ?? "application/octet-stream");
  if (pathname === "/") return response.end("<!DOCTYPE html><title>pdf.js</title>");
  const own = { "/file.bin": asked.file, "/page": asked.file, "/pdf.mjs": join(HERE, "pdf.mjs") };
  const path = own[pathname] ?? join(HERE, "node_modules/pdfjs-dist", pathname);
  createReadStream(path).on("error", () => response.writeHead(404).end()).pipe(response);
});
await new Promise(resolve => { server.listen(0, "127.0.0.1", resolve); });
const origin = `http://127.0.0.1:${server.address().port}`;

const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"],
});
const fail = () => process.exit(1);
browser.on("disconnected", fail);

/** In a page: gives `saveContent` the bytes, which can leave the page as text only. */
function saveBytes(content) {
  return new Promise(resolve => {
    const reader = new FileReader();
    reader.onload = () => resolve(globalThis.saveContent(reader.result.slice(reader.result.indexOf(",") + 1)));
    reader.readAsDataURL(new Blob([content]));
  });
}

/** In an empty page: what pdf.js finds. */
async function askPdfjs() {
  const pdfjs = await import("/build/pdf.min.mjs");
  const { contentsOf } = await import("/pdf.mjs");
  pdfjs.GlobalWorkerOptions.workerSrc = "/build/pdf.worker.min.mjs";
  const address = name => new URL(`/${name}/`, location).href;
  const options = { cMapUrl: address("cmaps"), standardFontDataUrl: address("standard_fonts"), wasmUrl: address("wasm"), iccUrl: address("iccs") };
  const bytes = await (await fetch("/file.bin")).arrayBuffer();
  for await (const content of contentsOf(pdfjs, bytes, options)) {
    if (content) await globalThis.saveBytes(content);
  }
}

/** In a frame: what its addresses hold (as "Save link as" and "Save image as" give it), then a click on every link. */
async function askFrame() {
  const elements = [...document.querySelectorAll("*")];
  const addresses = elements.flatMap(({ href, src, data, action }) => [href?.baseVal ?? href, src, data, action]);
  for (const address of new Set(addresses)) {
    if (/^(data|blob):/.test(address)) await fetch(address).then(answer => answer.arrayBuffer()).then(globalThis.saveBytes, () => {});
  }
  for (const element of elements) {
    if (element.localName === "a" || element.localName === "area") element.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true }));
  }
}

/** What a page gives a visitor who clicks every link. */
async function askPage(page) {
  const address = SHOWN.includes(extname(asked.file)) ? pathToFileURL(asked.file).href : `${origin}/page`;
  await page.goto(address);
  for (const frame of page.frames()) await frame.evaluate(askFrame).catch(() => {});
  await new Promise(resolve => { setTimeout(resolve, PATIENCE_MS); });
}

const READERS = {
  "pdf.js": async page => { await page.goto(origin); await page.evaluate(askPdfjs); },
  page: askPage,
};

async function ask() {
  const { directory, reader } = asked;
  const context = await browser.newContext({ acceptDownloads: true, bypassCSP: true });
  let count = 0;
  const next = () => join(directory, `${count++}`);
  const downloads = [];
  try {
    await context.exposeFunction("saveContent", content => writeFile(next(), content, "base64"));
    await context.addInitScript({ content: `globalThis.saveBytes = ${saveBytes};` });
    context.on("page", page => page.on("download", download => downloads.push(download.saveAs(next()))));
    await Promise.race([READERS[reader](await context.newPage()), late()]);
    await Promise.race([Promise.allSettled(downloads), late()]);
  } finally {
    await context.close();
  }
}

function late() {
  return new Promise((_, reject) => { setTimeout(reject, LIMIT_MS, new Error("its time is up")).unref(); });
}

for await (const line of createInterface({ input: process.stdin })) {
  asked = JSON.parse(line);
  const outcome = await ask().then(() => "read", error => error.message.split("\n")[0]);
  process.stdout.write(`${JSON.stringify(outcome)}\n`);
}
browser.off("disconnected", fail);
await browser.close();
process.exit(0);
