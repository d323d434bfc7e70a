//! Small harmless documents of common kinds. Definitions that find something in them are broken, and scans of
//! them train snapshots.

pub const DOCUMENTS: [(&str, &[u8]); 5] = [
    ("text", b"The quick brown fox jumps over the lazy dog.\n"),
    ("csv", b"name,amount\nfox,1\ndog,2\n"),
    ("json", b"{\"name\": \"fox\", \"amount\": 1}\n"),
    ("html", b"<!DOCTYPE html><title>Fox</title><p>The quick brown fox.\n"),
    (
        "pdf",
        b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\n\
          trailer<</Root 1 0 R>>\n%%EOF\n",
    ),
];
