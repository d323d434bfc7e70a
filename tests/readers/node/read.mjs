// What libraries of Node read out of a file: node read.mjs READER FILE DIRECTORY writes it to DIRECTORY.
// pdf.js is what Firefox shows documents with; mailparser and postal-mime are what programs of Node read mail with.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { contentsOf } from "./pdf.mjs";

const [reader, file, directory] = process.argv.slice(2);
const bytes = readFileSync(file);
let count = 0;
const save = content => { if (content?.length ?? content?.byteLength) writeFileSync(join(directory, `${count++}`), typeof content === "string" ? content : new Uint8Array(content)); };

async function pdfjs() {
  // Of a browser, for painting: it paints nothing here.
  for (const name of ["DOMMatrix", "ImageData", "Path2D"]) globalThis[name] ??= class {};
  for await (const content of contentsOf(await import("pdfjs-dist/legacy/build/pdf.mjs"), bytes)) save(content);
}

async function mailparser() {
  const { simpleParser } = await import("mailparser");
  const { attachments, text, html } = await simpleParser(bytes);
  for (const { content } of attachments) save(content);
  save(text);
  save(html || "");
}

async function postalMime() {
  const { default: Parser } = await import("postal-mime");
  const { attachments, text, html } = await Parser.parse(bytes);
  for (const { content } of attachments) save(content);
  save(text);
  save(html);
}

await { pdfjs, mailparser, "postal-mime": postalMime }[reader]();
process.exit(0);
