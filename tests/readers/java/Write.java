// PDF files and packages that libraries of Java write around a payload: java -cp ... Write.java INPUT DIRECTORY
// writes them to DIRECTORY. INPUT has the payloads (payload-KIND), PDF files (seed-NAME-KIND.pdf) and packages.

import com.itextpdf.text.Document;
import com.itextpdf.text.Paragraph;
import com.itextpdf.text.Rectangle;
import com.itextpdf.text.pdf.PdfAnnotation;
import com.itextpdf.text.pdf.PdfFileSpecification;
import com.itextpdf.text.pdf.PdfName;
import com.itextpdf.text.pdf.PdfReader;
import com.itextpdf.text.pdf.PdfSmartCopy;
import com.itextpdf.text.pdf.PdfStamper;
import com.itextpdf.text.pdf.PdfWriter;
import com.itextpdf.text.pdf.collection.PdfCollection;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.jar.JarOutputStream;
import java.util.zip.CRC32;
import java.util.zip.Deflater;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;
import java.util.zip.ZipOutputStream;
import org.apache.pdfbox.cos.COSArray;
import org.apache.pdfbox.cos.COSDictionary;
import org.apache.pdfbox.cos.COSName;
import org.apache.pdfbox.io.MemoryUsageSetting;
import org.apache.pdfbox.multipdf.PDFMergerUtility;
import org.apache.pdfbox.multipdf.Splitter;
import org.apache.pdfbox.pdmodel.PDDocument;
import org.apache.pdfbox.pdmodel.PDDocumentNameDictionary;
import org.apache.pdfbox.pdmodel.PDEmbeddedFilesNameTreeNode;
import org.apache.pdfbox.pdmodel.PDPage;
import org.apache.pdfbox.pdmodel.common.filespecification.PDComplexFileSpecification;
import org.apache.pdfbox.pdmodel.common.filespecification.PDEmbeddedFile;
import org.apache.pdfbox.pdmodel.encryption.AccessPermission;
import org.apache.pdfbox.pdmodel.encryption.StandardProtectionPolicy;
import org.apache.pdfbox.pdmodel.interactive.annotation.PDAnnotationFileAttachment;

public class Write {
    static final byte[] HARMLESS = "nothing special\n".repeat(9).getBytes();
    static Path input;
    static Path directory;

    public static void main(String[] arguments) throws Exception {
        input = Path.of(arguments[0]);
        directory = Path.of(arguments[1]);
        for (String kind : names("payload-")) {
            byte[] data = read("payload-" + kind);
            pdfBox(kind, data);
            iText(kind, data);
            packages(kind, data);
        }
    }

    static List<String> names(String start) throws IOException {
        try (var files = Files.list(input)) {
            var names = files.map(path -> path.getFileName().toString()).filter(name -> name.startsWith(start));
            return names.map(name -> name.substring(start.length())).sorted().toList();
        }
    }

    static byte[] read(String name) throws IOException {
        return Files.readAllBytes(input.resolve(name));
    }

    static void write(String name, byte[] data) throws IOException {
        Files.write(directory.resolve(name), data);
    }

    // PDFBox.

    static final Map<String, COSName[]> FILTERS = new LinkedHashMap<>();

    static {
        FILTERS.put("stored", new COSName[] {});
        FILTERS.put("flate", new COSName[] {COSName.FLATE_DECODE});
        FILTERS.put("lzw", new COSName[] {COSName.LZW_DECODE});
        FILTERS.put("hexadecimal", new COSName[] {COSName.ASCII_HEX_DECODE});
        FILTERS.put("ascii85", new COSName[] {COSName.ASCII85_DECODE});
        FILTERS.put("ascii85-flate", new COSName[] {COSName.ASCII85_DECODE, COSName.FLATE_DECODE});
        FILTERS.put("hexadecimal-lzw", new COSName[] {COSName.ASCII_HEX_DECODE, COSName.LZW_DECODE});
        FILTERS.put("lzw-flate", new COSName[] {COSName.LZW_DECODE, COSName.FLATE_DECODE});
        FILTERS.put("flate-flate", new COSName[] {COSName.FLATE_DECODE, COSName.FLATE_DECODE});
        FILTERS.put("flate-ascii85-lzw", new COSName[] {COSName.FLATE_DECODE, COSName.ASCII85_DECODE, COSName.LZW_DECODE});
    }

    static PDDocument blank() {
        PDDocument document = new PDDocument();
        document.addPage(new PDPage());
        return document;
    }

    static PDComplexFileSpecification specification(PDDocument document, byte[] data, COSName[] filters) throws IOException {
        PDEmbeddedFile file = filters.length == 1
            ? new PDEmbeddedFile(document, new ByteArrayInputStream(data), filters[0])
            : new PDEmbeddedFile(document);
        if (filters.length == 0) {
            try (OutputStream out = file.getCOSObject().createOutputStream()) { out.write(data); }
        } else if (filters.length > 1) {
            COSArray names = new COSArray();
            for (COSName filter : filters) { names.add(filter); }
            try (OutputStream out = file.getCOSObject().createOutputStream(names)) { out.write(data); }
        }
        file.setSize(data.length);
        PDComplexFileSpecification specification = new PDComplexFileSpecification();
        specification.setFile("e.com");
        specification.setFileUnicode("e.com");
        specification.setEmbeddedFile(file);
        specification.setEmbeddedFileUnicode(file);
        return specification;
    }

    static void put(PDDocument document, String place, PDComplexFileSpecification file) throws IOException {
        COSDictionary catalog = document.getDocumentCatalog().getCOSObject();
        switch (place) {
            case "tree", "kids", "portfolio" -> {
                PDEmbeddedFilesNameTreeNode tree = new PDEmbeddedFilesNameTreeNode();
                PDEmbeddedFilesNameTreeNode leaf = new PDEmbeddedFilesNameTreeNode();
                leaf.setNames(new TreeMap<>(Map.of("e.com", file)));
                if (place.equals("kids")) { tree.setKids(List.of(leaf)); } else { tree.setNames(leaf.getNames()); }
                PDDocumentNameDictionary names = new PDDocumentNameDictionary(document.getDocumentCatalog());
                names.setEmbeddedFiles(tree);
                document.getDocumentCatalog().setNames(names);
                if (place.equals("portfolio")) { catalog.setItem("Collection", new COSDictionary()); }
            }
            case "annotation" -> {
                PDAnnotationFileAttachment annotation = new PDAnnotationFileAttachment();
                annotation.setFile(file);
                document.getPage(0).setAnnotations(List.of(annotation));
            }
            default -> {
                COSArray files = new COSArray();
                files.add(file);
                catalog.setItem("AF", files);
            }
        }
    }

    static byte[] saved(PDDocument document) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        document.save(out);
        document.close();
        return out.toByteArray();
    }

    static void pdfBox(String kind, byte[] data) throws IOException {
        for (String place : List.of("tree", "kids", "portfolio", "annotation", "associated")) {
            for (var filter : FILTERS.entrySet()) {
                PDDocument document = blank();
                put(document, place, specification(document, data, filter.getValue()));
                write("pdfbox-" + place + "-" + filter.getKey() + "-" + kind + ".pdf", saved(document));
            }
            for (String encryption : List.of("40", "128", "128-aes", "256-aes")) {
                PDDocument document = blank();
                put(document, place, specification(document, data, FILTERS.get("flate")));
                protect(document, encryption);
                write("pdfbox-" + place + "-owner-" + encryption + "-" + kind + ".pdf", saved(document));
            }
        }
        for (String seed : names("seed-")) {
            if (!seed.endsWith("-" + kind + ".pdf") && !seed.endsWith("-none.pdf")) { continue; }
            String name = seed.substring(0, seed.length() - 4).replaceFirst("-none$", "-added-" + kind);
            write("pdfbox-over-" + name + ".pdf", saved(seeded(seed, data)));
            try (PDDocument document = seeded(seed, data)) {
                document.getDocumentCatalog().getCOSObject().setNeedToBeUpdated(true);
                ByteArrayOutputStream out = new ByteArrayOutputStream();
                document.saveIncremental(out);
                write("pdfbox-update-" + name + ".pdf", out.toByteArray());
            }
            try (PDDocument document = seeded(seed, data)) {
                protect(document, "256-aes");
                write("pdfbox-locked-" + name + ".pdf", saved(document));
            }
        }
        byte[] carrier = carrier(data);
        PDFMergerUtility merger = new PDFMergerUtility();
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        merger.addSource(new ByteArrayInputStream(saved(blank())));
        merger.addSource(new ByteArrayInputStream(carrier));
        merger.setDestinationStream(out);
        merger.mergeDocuments(MemoryUsageSetting.setupMainMemoryOnly());
        write("pdfbox-merged-" + kind + ".pdf", out.toByteArray());
        try (PDDocument whole = PDDocument.load(carrier)) {
            write("pdfbox-split-" + kind + ".pdf", saved(new Splitter().split(whole).get(0)));
        }
    }

    /** A document with an attachment at its page, which goes wherever the page goes. */
    static byte[] carrier(byte[] data) throws IOException {
        PDDocument document = blank();
        put(document, "annotation", specification(document, data, FILTERS.get("flate")));
        return saved(document);
    }

    /** A document of another library, to which the attachment is added if it has none. */
    static PDDocument seeded(String seed, byte[] data) throws IOException {
        PDDocument document = PDDocument.load(read("seed-" + seed));
        if (seed.endsWith("-none.pdf")) {
            PDComplexFileSpecification file = specification(document, data, FILTERS.get("flate"));
            file.getCOSObject().setNeedToBeUpdated(true);
            put(document, "tree", file);
            document.getDocumentCatalog().getNames().getCOSObject().setNeedToBeUpdated(true);
        }
        return document;
    }

    static void protect(PDDocument document, String encryption) throws IOException {
        AccessPermission permission = new AccessPermission();
        permission.setCanPrint(false);
        StandardProtectionPolicy policy = new StandardProtectionPolicy("owner", "", permission);
        policy.setEncryptionKeyLength(Integer.parseInt(encryption.split("-")[0]));
        policy.setPreferAES(encryption.endsWith("aes"));
        document.protect(policy);
    }

    // iText.

    static void iText(String kind, byte[] data) throws Exception {
        Map<String, Integer> encryptions = new LinkedHashMap<>();
        encryptions.put("none", -1);
        encryptions.put("40", PdfWriter.STANDARD_ENCRYPTION_40);
        encryptions.put("128", PdfWriter.STANDARD_ENCRYPTION_128);
        encryptions.put("aes-128", PdfWriter.ENCRYPTION_AES_128);
        encryptions.put("aes-256", PdfWriter.ENCRYPTION_AES_256);
        encryptions.put("aes-128-clear", PdfWriter.ENCRYPTION_AES_128 | PdfWriter.DO_NOT_ENCRYPT_METADATA);
        encryptions.put("files-128", PdfWriter.ENCRYPTION_AES_128 | PdfWriter.EMBEDDED_FILES_ONLY);
        encryptions.put("files-256", PdfWriter.ENCRYPTION_AES_256 | PdfWriter.EMBEDDED_FILES_ONLY);
        for (String place : List.of("tree", "annotation", "portfolio")) {
            for (var encryption : encryptions.entrySet()) {
                for (String form : List.of("plain", "full", "stored", "best")) {
                    if (!form.equals("plain") && !encryption.getKey().matches("none|aes-256|files-128")) { continue; }
                    String name = "itext-" + place + "-" + form + "-" + encryption.getKey() + "-" + kind + ".pdf";
                    write(name, created(data, place, form, encryption.getValue()));
                }
            }
        }
        for (String seed : names("seed-")) {
            boolean hasNone = seed.endsWith("-none.pdf");
            if (!hasNone && !seed.endsWith("-" + kind + ".pdf")) { continue; }
            String name = seed.substring(0, seed.length() - 4).replaceFirst("-none$", "-added-" + kind);
            for (String form : List.of("stamped", "appended", "full", "locked")) {
                ByteArrayOutputStream out = new ByteArrayOutputStream();
                PdfReader reader = new PdfReader(read("seed-" + seed));
                PdfStamper stamper = new PdfStamper(reader, out, '\0', form.equals("appended"));
                if (form.equals("full")) { stamper.setFullCompression(); }
                if (form.equals("locked")) {
                    stamper.setEncryption(new byte[0], "owner".getBytes(), 0, PdfWriter.ENCRYPTION_AES_256);
                }
                stamper.addFileAttachment("An invoice", hasNone ? data : HARMLESS, null, hasNone ? "e.com" : "a.txt");
                stamper.close();
                write("itext-" + form + "-" + name + ".pdf", out.toByteArray());
            }
        }
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        Document document = new Document();
        PdfSmartCopy copy = new PdfSmartCopy(document, out);
        document.open();
        copy.addDocument(new PdfReader(carrier(data)));
        document.close();
        write("itext-copied-" + kind + ".pdf", out.toByteArray());
    }

    static byte[] created(byte[] data, String place, String form, int encryption) throws Exception {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        Document document = new Document();
        PdfWriter writer = PdfWriter.getInstance(document, out);
        if (encryption >= 0) { writer.setEncryption(new byte[0], "owner".getBytes(), 0, encryption); }
        if (form.equals("full")) { writer.setFullCompression(); }
        int level = form.equals("stored") ? 0 : form.equals("best") ? 9 : -1;
        writer.setCompressionLevel(level);
        document.open();
        document.add(new Paragraph("An invoice."));
        PdfFileSpecification file = PdfFileSpecification.fileEmbedded(writer, null, "e.com", data, level);
        if (place.equals("annotation")) {
            writer.addAnnotation(PdfAnnotation.createFileAttachment(writer, new Rectangle(9, 9, 18, 18), "e", file));
        } else {
            if (place.equals("portfolio")) { writer.setCollection(new PdfCollection(PdfCollection.HIDDEN)); }
            writer.addFileAttachment("e.com", file);
        }
        document.close();
        return out.toByteArray();
    }

    // Packages as Java's own classes write them, which docx4j, Apache POI and every jar are made with.

    static void packages(String kind, byte[] data) throws IOException {
        for (String name : names("package-")) {
            Map<String, byte[]> parts = new LinkedHashMap<>();
            try (ZipInputStream in = new ZipInputStream(new ByteArrayInputStream(read("package-" + name)))) {
                for (ZipEntry entry; (entry = in.getNextEntry()) != null; ) { parts.put(entry.getName(), in.readAllBytes()); }
            }
            String top = name.endsWith("docx") ? "word/" : name.endsWith("xlsx") ? "xl/" : "ppt/";
            parts.put(top + "embeddings/oleObject1.bin", data);
            for (String form : List.of("streamed", "stored", "mixed", "best", "huffman", "reversed", "jar", "commented")) {
                String[] words = name.split("\\.");
                write("zip-" + form + "-" + words[0] + "-" + kind + "." + words[1], packed(parts, form));
            }
        }
    }

    static byte[] packed(Map<String, byte[]> parts, String form) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        List<String> names = new ArrayList<>(parts.keySet());
        if (form.equals("reversed")) { java.util.Collections.reverse(names); }
        try (ZipOutputStream zip = form.equals("jar") ? new JarOutputStream(out) : new ZipOutputStream(out)) {
            if (form.equals("best")) { zip.setLevel(Deflater.BEST_COMPRESSION); }
            if (form.equals("huffman")) { zip.setLevel(1); }
            if (form.equals("commented")) { zip.setComment("x".repeat(900)); }
            for (int index = 0; index < names.size(); index++) {
                byte[] content = parts.get(names.get(index));
                ZipEntry entry = new ZipEntry(names.get(index));
                entry.setTime(315532800000L);
                if (form.equals("stored") || form.equals("mixed") && index % 2 == 0) {
                    CRC32 sum = new CRC32();
                    sum.update(content);
                    entry.setMethod(ZipEntry.STORED);
                    entry.setSize(content.length);
                    entry.setCrc(sum.getValue());
                }
                if (form.equals("commented")) { entry.setComment("a part"); entry.setExtra(Arrays.copyOf(new byte[] {1, 2, 4}, 8)); }
                zip.putNextEntry(entry);
                zip.write(content);
                zip.closeEntry();
            }
        }
        return out.toByteArray();
    }
}
