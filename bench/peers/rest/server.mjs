// A scanner behind HTTP that keeps nothing, as benzino77/clamav-rest-api is built: express, multer, clamscan.
import { Readable } from "node:stream";
import Clamscan from "clamscan";
import express from "express";
import multer from "multer";

const [socket, port] = process.argv.slice(2);
const scanner = await new Clamscan().init({ clamdscan: { socket, timeout: 600_000 } });
const upload = multer({ storage: multer.memoryStorage() });
const app = express();
app.post("/scan", upload.single("file"), async (request, response) => {
  const { isInfected, viruses } = await scanner.scanStream(Readable.from(request.file.buffer));
  response.json({ scan_status: isInfected === false ? "clean" : "infected", viruses });
});
app.listen(Number(port), "127.0.0.1");
