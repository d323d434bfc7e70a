// Writes files with libraries of Node: node documents.mjs MODULES DIRECTORY, where MODULES has their `node_modules`.
import { createWriteStream, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from "node:zlib";

const [modules, directory] = process.argv.slice(2);
const load = createRequire(resolve(modules, "package.json"));
const numbers = Buffer.from(Array.from({ length: 3000 }, (_, n) => `${n};${n * n}\n`).join(""));
const write = (name, data) => writeFileSync(join(directory, name), data);

async function zips() {
  const zipJs = load("@zip.js/zip.js");
  for (const [name, options] of Object.entries({ plain: {}, zip64: { zip64: true }, stored: { level: 0 }, seekable: { dataDescriptor: false }, unsigned: { dataDescriptorSignature: false } })) {
    const writer = new zipJs.ZipWriter(new zipJs.Uint8ArrayWriter(), { ...options, useWebWorkers: false });
    await writer.add("numbers.csv", new zipJs.Uint8ArrayReader(numbers));
    await writer.add("Übung/日本語.txt", new zipJs.TextReader("hello"), { comment: "a comment" });
    write(`zip-js-${name}.zip`, await writer.close());
  }
  const fflate = load("fflate");
  write("fflate.zip", fflate.zipSync({ "a.csv": numbers, folder: { "b.txt": [fflate.strToU8("b"), { level: 0 }] } }));
  write("fflate.csv.gz", fflate.gzipSync(numbers)), write("fflate.zlib", fflate.zlibSync(numbers));
  const JSZip = load("jszip");
  for (const streamFiles of [false, true]) {
    for (const compression of ["STORE", "DEFLATE"]) {
      const archive = new JSZip();
      archive.file("a.csv", numbers).folder("folder").file("b.txt", "b");
      write(`jszip-${compression.toLowerCase()}${streamFiles ? "-streamed" : ""}.zip`, await archive.generateAsync({ type: "nodebuffer", compression, streamFiles }));
    }
  }
  const yazl = load("yazl");
  for (const [name, options] of Object.entries({ plain: {}, stored: { compress: false }, zip64: { forceZip64Format: true } })) {
    const archive = new yazl.ZipFile();
    archive.addBuffer(numbers, "a.csv", options), archive.addReadStream(Readable.from([numbers]), "streamed.csv", options), archive.addEmptyDirectory("empty"), archive.end();
    await pipeline(archive.outputStream, createWriteStream(join(directory, `yazl-${name}.zip`)));
  }
  write("node.gz", gzipSync(numbers)), write("node.zlib", deflateSync(numbers)), write("node.deflate", deflateRawSync(numbers)), write("node.br", brotliCompressSync(numbers));
}


async function tars() {
  const tar = load("tar");
  write("a.csv", numbers);
  for (const [name, options] of Object.entries({ plain: {}, portable: { portable: true }, gzip: { gzip: true } })) {
    await tar.create({ cwd: directory, file: join(directory, `npm-${name}.${options.gzip ? "tgz" : "tar"}`), ...options }, ["a.csv"]);
  }
}

function sheets() {
  const xlsx = load("xlsx");
  const sheet = xlsx.utils.aoa_to_sheet([["day", "visits"], ...Array.from({ length: 200 }, (_, n) => [`2026-07-${n}`, n])]);
  const book = xlsx.utils.book_new();
  xlsx.utils.book_append_sheet(book, sheet, "July"), xlsx.utils.book_append_sheet(book, sheet, "August");
  for (const bookType of ["xlsx", "xlsm", "xlsb", "biff8", "biff5", "biff2", "xlml", "ods", "fods", "csv", "sylk", "dif", "html", "dbf", "rtf", "prn", "eth"]) {
    const extension = { biff8: "xls", biff5: "xls", biff2: "xls", xlml: "xml", sylk: "slk" }[bookType] ?? bookType;
    write(`sheetjs-${bookType}.${extension}`, xlsx.write(book, { bookType, type: "buffer" }));
  }
}

async function documents() {
  const { Document, Packer, Paragraph } = load("docx");
  write("docx-js.docx", await Packer.toBuffer(new Document({ sections: [{ children: [new Paragraph("Hello")] }] })));
  const Slides = load("pptxgenjs");
  const slides = new Slides();
  slides.addSlide().addText("Hello", { x: 1, y: 1 });
  write("pptxgenjs.pptx", await slides.write({ outputType: "nodebuffer" }));
  const { PDFDocument } = load("pdf-lib");
  const made = await PDFDocument.create();
  made.addPage().drawText("Hello");
  await made.attach(numbers, "numbers.csv", { mimeType: "text/csv" });
  write("pdf-lib.pdf", await made.save()), write("pdf-lib-plain.pdf", await made.save({ useObjectStreams: false }));
  const PdfKit = load("pdfkit");
  for (const [name, options] of Object.entries({ plain: {}, permissions: { ownerPassword: "owner", permissions: { printing: "lowResolution" } }, archive: { subset: "PDF/A-2", pdfVersion: "1.7" } })) {
    const page = new PdfKit({ ...options, compress: name !== "plain" });
    if (!options.subset) page.text("Hello").file(numbers, { name: "numbers.csv" });
    page.end();
    await pipeline(page, createWriteStream(join(directory, `pdfkit-${name}.pdf`)));
  }
}

await zips(), await tars(), sheets(), await documents();
