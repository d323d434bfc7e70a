// Writes documents with libraries of Node, several each: node produce.mjs MODULES DIRECTORY, where MODULES has their `node_modules`.
// PRODUCERS, at the end, is the table of them; each file's name begins with its producer's.
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [modules, directory] = process.argv.slice(2);
const require = createRequire(resolve(modules, "package.json"));
const loadAll = async name => import(pathToFileURL(require.resolve(name)));
// A module's only export, which compilers put one level deeper.
const load = async name => { const { default: found } = await loadAll(name); return found.default ?? found; };
const rows = Array.from({ length: 200 }, (_, n) => [`row ${n}`, n, n / 7]);
const CONTENTS = {
  letter: { title: "A letter", paragraphs: ["Dear Ann,", "please find the invoice attached.", "Yours sincerely"], rows: rows.slice(0, 3) },
  report: { title: "Report", paragraphs: rows.map(row => `Paragraph of ${row[0]} says that stream, endobj and PK are words.`), rows },
  german: { title: "Überweisung", paragraphs: Array(40).fill("Grüße aus Köln, 12,50."), rows: [["Köln", 1, 2], ["Düsseldorf", 3, 4]] },
  empty: { title: "-", paragraphs: [], rows: [] },
};
const picture = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==", "base64");
const page = ({ title, paragraphs, rows }) => `<!DOCTYPE html><html><head><title>${title}</title></head><body><h1>${title}</h1>${paragraphs.map(text => `<p>${text}</p>`).join("")}<table>${rows.slice(0, 20).map(row => `<tr>${row.map(cell => `<td>${cell}</td>`).join("")}</tr>`).join("")}</table></body></html>`;

async function* exceljs(content) {
  const { Workbook } = await load("exceljs");
  for (const form of ["plain", "protected", "pictured"]) {
    const book = new Workbook();
    const sheet = book.addWorksheet("rows");
    sheet.addRows(content.rows);
    if (form === "protected") await sheet.protect("password", {});
    if (form === "pictured") sheet.addImage(book.addImage({ buffer: picture, extension: "png" }), "D2:E5");
    yield [`${form}.xlsx`, await book.xlsx.writeBuffer()];
    yield [`${form}.csv`, await book.csv.writeBuffer()];
  }
}

async function* jspdf(content) {
  const { jsPDF } = await loadAll("jspdf");
  for (const [form, options] of Object.entries({ plain: {}, compressed: { compress: true }, owner: { encryption: { userPassword: "", ownerPassword: "owner", userPermissions: ["print"] } } })) {
    const document = new jsPDF(options);
    content.paragraphs.slice(0, 30).forEach((text, index) => document.text(text, 10, 10 + 8 * index));
    document.addImage(picture, "PNG", 10, 260, 10, 10);
    yield [`${form}.pdf`, Buffer.from(document.output("arraybuffer"))];
  }
}

async function* pdfmake(content) {
  const printer = await load("pdfmake");
  // Without these it warns of what it might fetch.
  printer.setUrlAccessPolicy(() => false), printer.setLocalAccessPolicy(() => true);
  printer.addFonts({ Helvetica: { normal: "Helvetica", bold: "Helvetica-Bold" } });
  for (const [form, options] of Object.entries({ plain: {}, uncompressed: { compress: false }, owner: { ownerPassword: "owner", permissions: { printing: "highResolution" } }, "owner-256": { ownerPassword: "owner", version: "1.7ext3" }, "attached": { files: { "a.csv": { src: "data:text/csv;base64,YTsxCg==", name: "a.csv" } } } })) {
    const made = printer.createPdf({ content: [content.title, ...content.paragraphs], defaultStyle: { font: "Helvetica" }, ...options });
    yield [`${form}.pdf`, await made.getBuffer()];
  }
}

async function* nodemailer(content) {
  const { createTransport } = await load("nodemailer");
  const attachments = [{ filename: "invoice.csv", content: content.rows.join("\n") }, { filename: "Übersicht.png", content: picture }];
  const forms = { text: { text: content.paragraphs.join("\n") }, html: { text: "Hello", html: page(content) }, attached: { text: "Hello", attachments }, quoted: { text: content.title, textEncoding: "quoted-printable", attachments: [{ filename: "a.txt", content: "a", contentTransferEncoding: "quoted-printable" }] }, invitation: { text: "Hello", icalEvent: { method: "REQUEST", content: "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n" } }, inline: { html: '<img src="cid:a">', attachments: [{ filename: "a.png", content: picture, cid: "a" }] } };
  for (const [form, fields] of Object.entries(forms)) {
    const newline = form === "text" ? "unix" : "windows";
    const { message } = await createTransport({ streamTransport: true, buffer: true, newline }).sendMail({ from: "ann@example.org", to: "b@example.org", subject: content.title, ...fields });
    yield [`${form}.eml`, message];
  }
}

async function* icalGenerator(content) {
  const ical = await load("ical-generator");
  const calendar = ical({ name: content.title });
  rows.slice(0, 20).forEach(([text], index) => calendar.createEvent({ start: new Date(Date.UTC(2024, 1, index + 1)), summary: text, description: content.paragraphs.join("\n") }));
  yield ["calendar.ics", calendar.toString()];
}

async function* vcardCreator(content) {
  const card = new (await load("vcard-creator"))();
  card.addName({ familyName: "Example", givenName: content.title });
  yield ["card.vcf", card.toString()];
}

async function* htmlToDocx(content) {
  yield ["page.docx", Buffer.from(await (await load("html-to-docx"))(page(content), null, { title: content.title }))];
}

async function* xlsxPopulate(content) {
  const book = await (await load("xlsx-populate")).fromBlankAsync();
  if (content.rows.length) book.sheet(0).cell("A1").value(content.rows);
  yield ["rows.xlsx", await book.outputAsync()];
}

async function* epubGen(content) {
  const generate = await load("epub-gen-memory");
  for (const version of [2, 3]) yield [`epub${version}.epub`, await generate({ title: content.title, version }, [{ title: "1", content: page(content) }])];
}

async function* docx(content) {
  const { Document, ImageRun, Packer, Paragraph } = await loadAll("docx");
  const children = content.paragraphs.map(text => new Paragraph(text));
  yield ["plain.docx", await Packer.toBuffer(new Document({ title: content.title, sections: [{ children }] }))];
  yield ["pictured.docx", await Packer.toBuffer(new Document({ sections: [{ children: [new Paragraph({ children: [new ImageRun({ type: "png", data: picture, transformation: { width: 9, height: 9 } })] })] }] }))];
}

async function* pptxgenjs(content) {
  const slides = new (await load("pptxgenjs"))();
  for (const text of [content.title, ...content.paragraphs.slice(0, 20)]) slides.addSlide().addText(text, { x: 1, y: 1 });
  slides.addSlide().addChart(slides.ChartType.bar, [{ name: "a", labels: ["a", "b"], values: [1, 2] }], { x: 1, y: 1 });
  yield ["slides.pptx", await slides.write({ outputType: "nodebuffer" })];
}

async function* pdfLib(content) {
  const { PDFDocument } = await loadAll("pdf-lib");
  for (const useObjectStreams of [false, true]) {
    const made = await PDFDocument.create();
    made.setTitle(content.title), content.paragraphs.slice(0, 9).forEach(text => made.addPage().drawText(text));
    const form = made.getForm().createTextField("name");
    form.setText("Ann"), form.addToPage(made.addPage());
    await made.attach(Buffer.from("a;1\n"), "a.csv", { mimeType: "text/csv" });
    yield [`${useObjectStreams ? "objects" : "plain"}.pdf`, await made.save({ useObjectStreams })];
  }
}

async function* pdfkit(content) {
  const PdfKit = await load("pdfkit");
  for (const pdfVersion of ["1.3", "1.4", "1.5", "1.6", "1.7", "1.7ext3"]) {
    // From RC4 with 40 bits to AES with 256.
    const made = new PdfKit({ pdfVersion, ownerPassword: "owner", permissions: { printing: "lowResolution" } });
    content.paragraphs.slice(0, 50).forEach(text => made.text(text)), made.end();
    const pieces = [];
    for await (const piece of made) pieces.push(piece);
    yield [`owner-${pdfVersion}.pdf`, Buffer.concat(pieces)];
  }
}

async function* sheetjs(content) {
  const xlsx = await load("xlsx");
  const book = xlsx.utils.book_new();
  xlsx.utils.book_append_sheet(book, xlsx.utils.aoa_to_sheet([["name", "value"], ...content.rows]), "rows");
  for (const [bookType, extension] of Object.entries({ xlsx: "xlsx", xlsb: "xlsb", biff8: "xls", biff5: "xls", xlml: "xml", ods: "ods", fods: "fods", html: "html" })) {
    yield [`${bookType}.${extension}`, xlsx.write(book, { bookType, type: "buffer" })];
  }
}

const PRODUCERS = { docx, "epub-gen-memory": epubGen, exceljs, "html-to-docx": htmlToDocx, "ical-generator": icalGenerator, jspdf, nodemailer, "pdf-lib": pdfLib, pdfkit, pdfmake, pptxgenjs, sheetjs, "vcard-creator": vcardCreator, "xlsx-populate": xlsxPopulate };

for (const [producer, make] of Object.entries(PRODUCERS)) {
  for (const [name, content] of Object.entries(CONTENTS)) {
    for await (const [file, data] of make(content)) writeFileSync(join(directory, `${producer}-${name}-${file}`), data);
  }
}
