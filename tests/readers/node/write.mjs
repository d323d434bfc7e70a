// Files that libraries of Node write around a payload: node write.mjs INPUT DIRECTORY writes them to DIRECTORY.
// INPUT has the payloads (`payload-KIND`) and PDF files of other libraries (`seed-NAME-KIND.pdf`).
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as docx from "docx";
import ExcelJs from "exceljs";
import MailComposer from "nodemailer/lib/mail-composer/index.js";
import { PDFDocument, PDFHexString, PDFName, PDFString } from "pdf-lib";
import PdfKit from "pdfkit";

const [input, directory] = process.argv.slice(2);
const read = name => readFileSync(join(input, name));
const PAYLOADS = Object.fromEntries(readdirSync(input).filter(name => name.startsWith("payload-")).map(name => [name.slice(8), read(name)]));
const SEEDS = readdirSync(input).filter(name => name.startsWith("seed-"));
const FEW = ["eicar", "hidden"];
const DATE = new Date("2024-01-01T00:00:00Z");
const HARMLESS = Buffer.from("nothing special\n".repeat(9));
const NAMES = { plain: "e.com", accents: "Überweisung.exe", japanese: "請求書.zip", path: "../../e.com", long: `${"x".repeat(300)}.com`, brackets: "(e)\\.com", lines: "a\nb", empty: "" };
const SAVED = { plain: { useObjectStreams: false }, objects: { useObjectStreams: true } };

async function blank() {
  const document = await PDFDocument.create({ updateMetadata: false });
  document.addPage().drawText("An invoice.");
  return document;
}

// What `attach` makes, by hand, so that each of its parts can stand in another place or form.
const STREAMS = {
  flate: (context, data) => context.flateStream(data, { Type: "EmbeddedFile" }),
  stored: (context, data) => context.stream(data, { Type: "EmbeddedFile" }),
  "no-type": (context, data) => context.flateStream(data),
  twice: (context, data) => context.stream(context.flateStream(context.flateStream(data).getContents()).getContents(), { Filter: ["FlateDecode", "FlateDecode"] }),
  hexadecimal: (context, data) => context.stream(`${Buffer.from(data).toString("hex")}>`, { Filter: "ASCIIHexDecode" }),
  "indirect-filter": (context, data) => context.stream(context.flateStream(data).getContents(), { Type: "EmbeddedFile", Filter: context.register(PDFName.of("FlateDecode")) }),
  "indirect-filters": (context, data) => context.stream(context.flateStream(data).getContents(), { Filter: context.register(context.obj([context.register(PDFName.of("FlateDecode"))])) }),
  "indirect-parameters": (context, data) => context.stream(context.flateStream(data).getContents(), { Filter: "FlateDecode", DecodeParms: context.register(context.obj({ Predictor: 1 })) }),
  checked: (context, data) => context.flateStream(data, { Params: { Size: data.length, CheckSum: PDFHexString.of("00".repeat(16)), ModDate: PDFString.fromDate(DATE) } }),
};

const specification = (context, stream, more = {}) => context.obj({ Type: "Filespec", F: PDFString.of("e.com"), UF: PDFHexString.fromText("e.com"), EF: { F: context.register(stream) }, ...more });
const annotation = (context, entries) => context.obj([context.register(context.obj({ Type: "Annot", Rect: [0, 0, 9, 9], ...entries }))]);
const inCatalog = (document, entries) => Object.entries(entries).forEach(([key, value]) => document.catalog.set(PDFName.of(key), document.context.obj(value)));
const onPage = (document, entries) => Object.entries(entries).forEach(([key, value]) => document.getPage(0).node.set(PDFName.of(key), value));

const PLACES = {
  tree: (document, context, file) => inCatalog(document, { Names: { EmbeddedFiles: { Names: [PDFString.of("e.com"), context.register(file)] } } }),
  direct: (document, context, file) => inCatalog(document, { Names: { EmbeddedFiles: { Names: [PDFString.of("e.com"), file] } } }),
  kids: (document, context, file) => {
    const leaf = context.register(context.obj({ Limits: [PDFString.of("e.com"), PDFString.of("e.com")], Names: [PDFString.of("e.com"), context.register(file)] }));
    const branch = context.register(context.obj({ Limits: [PDFString.of("a"), PDFString.of("z")], Kids: [leaf] }));
    inCatalog(document, { Names: context.register(context.obj({ EmbeddedFiles: context.register(context.obj({ Kids: [branch] })) })) });
  },
  annotation: (document, context, file) => onPage(document, { Annots: annotation(context, { Subtype: "FileAttachment", FS: context.register(file) }) }),
  "annotation-direct": (document, context, file) => onPage(document, { Annots: annotation(context, { Subtype: "FileAttachment", FS: file }) }),
  launch: (document, context, file) => onPage(document, { Annots: annotation(context, { Subtype: "Link", A: { S: "Launch", F: file } }) }),
  "associated-page": (document, context, file) => onPage(document, { AF: context.obj([context.register(file)]) }),
  associated: (document, context, file) => inCatalog(document, { AF: [context.register(file)] }),
  portfolio: (document, context, file) => inCatalog(document, { Collection: { Type: "Collection", View: "T" }, Names: { EmbeddedFiles: { Names: [PDFString.of("e.com"), context.register(file)] } } }),
  rich: (document, context, file) => onPage(document, { Annots: annotation(context, { Subtype: "RichMedia", RichMediaContent: { Assets: { Names: [PDFString.of("e.com"), context.register(file)] } } }) }),
};

async function* pdfLib(kind, data) {
  for (const [form, options] of Object.entries(SAVED)) {
    for (const [stream, make] of Object.entries(STREAMS)) {
      for (const [place, put] of Object.entries(PLACES)) {
        if (!FEW.includes(kind) && stream !== "flate") continue;
        const document = await blank();
        put(document, document.context, specification(document.context, make(document.context, data)));
        yield [`${place}-${stream}-${form}`, "pdf", await document.save(options)];
      }
    }
    const attached = async (name = "e.com", content = data) => {
      const document = await blank();
      await document.attach(content, name, { mimeType: "application/zip", description: "An invoice", creationDate: DATE, modificationDate: DATE, afRelationship: "Data" });
      return document;
    };
    for (const [named, name] of Object.entries(FEW.includes(kind) ? NAMES : { plain: "e.com" })) yield [`attached-${named}-${form}`, "pdf", await (await attached(name)).save(options)];
    for (const count of [3, 200]) {
      const document = await attached("m.com");
      for (let index = 0; index < count; index++) await document.attach(HARMLESS, `${index % 2 ? "a" : "z"}${index}.txt`);
      yield [`among-${count}-${form}`, "pdf", await document.save(options)];
    }
    yield [`few-objects-${form}`, "pdf", await (await attached()).save({ ...options, objectsPerTick: 1, addDefaultPage: false })];
    // Written again, with a second attachment, and taken over into other documents.
    const once = await (await attached()).save(options);
    const again = await PDFDocument.load(once, { updateMetadata: false });
    await again.attach(HARMLESS, "z.txt");
    yield [`added-to-${form}`, "pdf", await again.save(options)];
    const merged = await blank();
    const carrier = await blank();
    PLACES.annotation(carrier, carrier.context, specification(carrier.context, STREAMS.flate(carrier.context, data)));
    const [page] = await merged.copyPages(await PDFDocument.load(await carrier.save()), [0]);
    merged.addPage(page);
    yield [`copied-page-${form}`, "pdf", await merged.save(options)];
    yield [`nested-${form}`, "pdf", await (await attached("a.pdf", once)).save(options)];
    yield [`base64-${form}`, "txt", Buffer.from(await (await attached()).saveAsBase64({ dataUri: true, ...options }))];
    // Files of other libraries with an attachment, saved by this one; and such without one, to which it adds it.
    for (const seed of SEEDS.filter(name => name.endsWith(`-${kind}.pdf`) || name.endsWith("-none.pdf"))) {
      const document = await PDFDocument.load(read(seed), { updateMetadata: false });
      if (seed.endsWith("-none.pdf")) await document.attach(data, "e.com");
      yield [`over-${seed.slice(5, -4)}-${form}`, "pdf", await document.save(options)];
    }
  }
}

async function* pdfkit(kind, data) {
  const encryptions = { plain: {}, owner: { ownerPassword: "owner", userPassword: "" }, uncompressed: { compress: false } };
  const forms = { attached: {}, described: { description: "An invoice", type: "application/zip", relationship: "Source" }, hidden: { hidden: true }, annotation: {} };
  for (const [encryption, options] of Object.entries(encryptions)) {
    for (const pdfVersion of encryption === "owner" ? ["1.3", "1.4", "1.6", "1.7", "1.7ext3"] : ["1.7"]) {
      for (const [form, entries] of Object.entries(forms)) {
        const document = new PdfKit({ pdfVersion, info: { CreationDate: DATE }, ...options });
        document.text("An invoice.");
        const file = { src: data, name: "e.com", creationDate: DATE, modifiedDate: DATE, ...entries };
        if (form === "annotation") document.fileAnnotation(9, 9, 9, 9, file);
        else document.file(data, file);
        document.end();
        const pieces = [];
        for await (const piece of document) pieces.push(piece);
        yield [`${form}-${encryption}-${pdfVersion}`, "pdf", Buffer.concat(pieces)];
      }
    }
  }
}

async function* nodemailer(kind, data) {
  const base = { from: "Ann <a@example.org>", to: "b@example.org", subject: "An invoice", date: DATE, messageId: "<1@example.org>", text: "Hello" };
  const mail = async (more, newline = "windows") => new Promise((resolve, reject) => {
    const composed = new MailComposer({ ...base, newline, ...more }).compile();
    composed.boundaryPrefix = "--_Boundary";
    composed.build((error, message) => error ? reject(error) : resolve(message));
  });
  const file = { filename: "e.zip", content: data };
  const forms = {
    alone: { text: undefined, attachments: [file] }, attached: { attachments: [file] }, "with-page": { html: "<p>Hello", attachments: [file] },
    related: { html: '<img src="cid:a">', attachments: [{ ...file, cid: "a" }] }, inline: { attachments: [{ ...file, contentDisposition: "inline" }] },
    alternative: { alternatives: [{ contentType: "application/zip", content: data }] }, event: { icalEvent: { filename: "a.ics", method: "REQUEST", content: `BEGIN:VCALENDAR\r\nATTACH;ENCODING=BASE64;VALUE=BINARY:${data.toString("base64")}\r\nEND:VCALENDAR\r\n` } },
    address: { html: `<img src="data:image/png;base64,${data.toString("base64")}">`, attachDataUrls: true }, "no-name": { attachments: [{ ...file, filename: false }] },
    text: { attachments: [{ ...file, contentType: "text/plain; charset=iso-8859-1" }] }, "second-of-many": { attachments: [{ filename: "a.txt", content: HARMLESS }, file, { filename: "b.txt", content: HARMLESS }] },
    "from-address": { attachments: [{ filename: "e.com", path: `data:application/zip;base64,${data.toString("base64")}` }] }, watched: { watchHtml: `<p>${data.toString("base64")}`, attachments: [file] }, list: { list: { unsubscribe: "https://example.org" }, attachments: [file] },
  };
  for (const [form, more] of Object.entries(forms)) for (const newline of ["windows", "unix"]) yield [`${form}-${newline}`, "eml", await mail(more, newline)];
  for (const [named, filename] of Object.entries(NAMES)) yield [`named-${named}`, "eml", await mail({ attachments: [{ ...file, filename }] })];
  for (const contentTransferEncoding of ["quoted-printable", "7bit", false]) {
    if (kind === "eicar" || contentTransferEncoding === "quoted-printable") yield [`encoded-${contentTransferEncoding}`, "eml", await mail({ attachments: [{ ...file, contentTransferEncoding }] })];
  }
  for (const textEncoding of ["base64", "quoted-printable"]) if (kind === "eicar") yield [`body-${textEncoding}`, "eml", await mail({ text: data.toString("latin1"), textEncoding })];
  const inner = await mail({ attachments: [file] });
  yield ["forwarded", "eml", await mail({ attachments: [{ contentType: "message/rfc822", content: inner, filename: "a.eml" }] })];
  yield ["forwarded-encoded", "eml", await mail({ attachments: [{ contentType: "message/rfc822", contentTransferEncoding: "base64", content: inner }] })];
  yield ["raw", "eml", await mail({ raw: inner })];
}

async function* exceljs(kind, data) {
  for (const extension of ["png", "jpeg", "gif"]) {
    for (const form of ["picture", "background", "template"]) {
      let book = new ExcelJs.Workbook();
      const sheet = book.addWorksheet("rows");
      sheet.addRow(["An invoice.", 12.5]);
      const image = book.addImage(form === "template" ? { base64: data.toString("base64"), extension } : { buffer: data, extension });
      if (form === "background") sheet.addBackgroundImage(image);
      else sheet.addImage(image, "B2:D6");
      let written = await book.xlsx.writeBuffer();
      if (form === "template") {
        book = new ExcelJs.Workbook();
        await book.xlsx.load(written);
        written = await book.xlsx.writeBuffer({ zip: { compression: "STORE" } });
      }
      yield [`${form}-${extension}`, "xlsx", Buffer.from(written)];
    }
  }
}

async function* docxOfNode(kind, data) {
  for (const type of ["png", "jpg", "gif", "bmp"]) {
    const image = new docx.ImageRun({ type, data, transformation: { width: 9, height: 9 } });
    const children = [new docx.Paragraph({ children: [image] })];
    const forms = { body: { sections: [{ children }] }, header: { sections: [{ headers: { default: new docx.Header({ children }) }, children: [] }] }, footnote: { footnotes: { 1: { children } }, sections: [{ children: [] }] } };
    for (const [form, options] of Object.entries(forms)) yield [`${form}-${type}`, "docx", await docx.Packer.toBuffer(new docx.Document(options))];
  }
}

for (const [library, make] of Object.entries({ "pdf-lib": pdfLib, pdfkit, nodemailer, exceljs, docx: docxOfNode })) {
  for (const [kind, data] of Object.entries(PAYLOADS)) {
    for await (const [name, extension, written] of make(kind, data)) writeFileSync(join(directory, `${library}-${name}-${kind}.${extension}`), written);
  }
}
