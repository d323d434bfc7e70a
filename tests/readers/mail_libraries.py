"""Mail as libraries and programs write it: Python's email package, nodemailer, S/MIME and CMS of openssl, OpenPGP of gpg, and message files of Outlook.

Keys, and with them signatures and encrypted session keys, differ from run to run.
"""

import email.mime.base, email.mime.multipart, email.mime.text, email.policy, itertools, os, struct, subprocess, tempfile
from email import charset, encoders
from email.message import EmailMessage

from base import EICAR, HARMLESS, PAYLOADS, Member, base64_lines, zip_of
from office import compound

KINDS = {kind: PAYLOADS[kind] for kind in ("eicar", "zip", "hidden", "tgz")}
FEW = {kind: PAYLOADS[kind] for kind in ("eicar", "hidden")}
POLICIES = {"smtp": email.policy.SMTP, "default": email.policy.default, "utf8": email.policy.SMTPUTF8}


def message(policy, subject="An invoice"):
    made = EmailMessage(policy=policy)
    made["From"], made["To"], made["Subject"], made["Date"] = "Ann <a@example.org>", "b@example.org", subject, "Mon, 01 Jan 2024 00:00:00 +0000"
    made["Message-ID"] = "<1@example.org>"
    made.set_content("Hello,\nplease find the invoice attached.\n")
    return made


def bounded(made):
    """With boundaries that are the same in every run."""
    for index, part in enumerate(made.walk()):
        if part.is_multipart() and part.get_content_maintype() == "multipart":
            part.set_boundary(f"===============boundary{index:02}==")
    return made.as_bytes()


def by_python():
    encodings = ("base64", "quoted-printable", "7bit", "8bit", "binary")
    media = (("application", "octet-stream"), ("application", "zip"), ("image", "png"), ("text", "plain"), ("audio", "wav"), ("application", "pdf"))
    for (kind, data), (policy_name, policy), (main, sub), encoding in itertools.product(KINDS.items(), POLICIES.items(), media, encodings):
        if main == "text" or encoding in ("7bit", "8bit", "binary") and max(data) > 127:
            continue
        made = message(policy)
        made.add_attachment(data, maintype=main, subtype=sub, filename="e.zip", cte=encoding)
        yield f"python-{policy_name}-{sub}-{encoding}-{kind}", bounded(made)
    for (kind, data), name in itertools.product(FEW.items(), ("Überweisung.zip", "請求書.zip", "x" * 200 + ".zip", 'a "b".zip', "a;b=c.zip")):
        made = message(email.policy.SMTP, name)
        made.add_attachment(data, maintype="application", subtype="octet-stream", filename=name)
        yield f"python-named-{name.encode().hex()[:10]}-{kind}", bounded(made)
    for (kind, data), shape in itertools.product(FEW.items(), ("related", "alternative", "forwarded", "forwarded-twice", "digest", "inline", "alone", "replaced")):
        yield f"python-{shape}-{kind}", bounded(shaped(shape, data))
    for (kind, data), (name, encoder) in itertools.product(KINDS.items(), {"base64": encoders.encode_base64, "quopri": encoders.encode_quopri}.items()):
        made = email.mime.multipart.MIMEMultipart()
        made["From"], made["Subject"] = "a@example.org", "An invoice"
        made.attach(email.mime.text.MIMEText("Hello", _charset="utf-8"))
        part = email.mime.base.MIMEBase("application", "octet-stream", name="e.com")
        part.set_payload(data)
        encoder(part)
        part.add_header("Content-Disposition", "attachment", filename=("utf-8", "", "é.com"))
        made.attach(part)
        yield f"python-mime-{name}-{kind}", bounded(made)
        yield f"python-mime-mbox-{name}-{kind}", b"From a@example.org Mon Jan  1 00:00:00 2024\n" + bounded(made)
    for name, encoding in {"quoted": charset.QP, "base64": charset.BASE64}.items():
        kept = charset.Charset("utf-8")
        kept.body_encoding = encoding
        text = email.mime.text.MIMEText(EICAR.decode(), _charset=None)
        text.set_payload(EICAR.decode(), kept)
        yield f"python-body-{name}", text.as_bytes()


def shaped(shape, data):
    made = message(email.policy.SMTP)
    if shape in ("related", "alternative"):
        made.add_alternative("<html><img src='cid:a@b'></html>", subtype="html")
        target = made.get_payload()[1]
        (target.add_related if shape == "related" else made.add_alternative)(data, maintype="image", subtype="png", cid="<a@b>")
    elif shape == "inline":
        made.add_attachment(data, maintype="image", subtype="png", disposition="inline")
    elif shape == "alone":
        made.set_content(data, maintype="application", subtype="zip", filename="e.zip", disposition="attachment")
    else:
        made.add_attachment(data, maintype="application", subtype="zip", filename="e.zip")
        for _ in range({"forwarded": 1, "forwarded-twice": 2, "digest": 1}.get(shape, 0)):
            outer = message(email.policy.SMTP, "Fwd: An invoice")
            outer.add_attachment(made)
            made = outer
        if shape == "digest":
            made.replace_header("Content-Type", "multipart/digest")
        if shape == "replaced":
            del made["MIME-Version"]
    return made


def by_openssl():
    """Opaque S/MIME and CMS in each of its forms, in files that hold a mail or the bytes."""
    with tempfile.TemporaryDirectory() as directory:
        run = lambda *words: subprocess.run(["openssl", *words], cwd=directory, check=True, capture_output=True).stdout  # noqa: E731
        run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=example.org", "-days", "9000", "-keyout", "key.pem", "-out", "cert.pem")
        for kind, data in KINDS.items():
            inner = shaped("forwarded", data)
            for what, content in (("bytes", data), ("mail", bounded(inner)), ("part", bounded(inner).split(b"\r\n\r\n", 1)[0].split(b"Content-Type")[-1].join([b"Content-Type", b"\r\n\r\n"]) + bounded(inner).split(b"\r\n\r\n", 1)[1])):
                with open(os.path.join(directory, "in"), "wb") as file:
                    file.write(content)
                for form, extension in (("DER", "p7m"), ("PEM", "pem"), ("SMIME", "eml")):
                    for name, options in {"plain": [], "no-certificates": ["-nocerts"], "no-attributes": ["-noattr"], "streamed": ["-stream"], "key-id": ["-keyid"], "sha-512": ["-md", "sha512"]}.items():
                        words = ["cms", "-sign", "-binary", "-nodetach", "-in", "in", "-signer", "cert.pem", "-inkey", "key.pem", "-outform", form, *options]
                        yield f"cms-{name}-{form}-{what}-{kind}", extension, run(*words)
                    yield f"smime-{form}-{what}-{kind}", extension, run("smime", "-sign", "-binary", "-nodetach", "-in", "in", "-signer", "cert.pem", "-inkey", "key.pem", "-outform", form)
                    yield f"digest-{form}-{what}-{kind}", extension, run("cms", "-digest_create", "-binary", "-in", "in", "-outform", form)
                    yield f"data-{form}-{what}-{kind}", extension, run("cms", "-data_create", "-binary", "-in", "in", "-outform", form)
                yield f"clear-signed-{what}-{kind}", "eml", run("cms", "-sign", "-binary", "-in", "in", "-signer", "cert.pem", "-inkey", "key.pem")


def by_gpg():
    with tempfile.TemporaryDirectory() as directory:
        def run(*words):
            return subprocess.run(["gpg", "--homedir", directory, "--batch", "--yes", "--pinentry-mode", "loopback", "--passphrase", "", *words], cwd=directory, check=True, capture_output=True).stdout
        run("--quick-gen-key", "ann@example.org")
        for kind, data in KINDS.items():
            with open(os.path.join(directory, "e.com"), "wb") as file:
                file.write(data)
            for method in ("none", "zip", "zlib", "bzip2"):
                for armor in ([], ["--armor"]):
                    for name, words in {"signed": ["--sign"], "stored": ["--store"]}.items():
                        made = run("--compress-algo", method, *armor, "--output", "-", *words, "e.com")
                        yield f"gpg-{name}-{method}{'-armored' * bool(armor)}-{kind}", "asc" if armor else "gpg", made
                        if armor:
                            mailed = message(email.policy.SMTP)
                            mailed.set_content(made.decode())
                            yield f"gpg-{name}-{method}-mailed-{kind}", "eml", mailed.as_bytes()
            if kind == "eicar":
                yield "gpg-clear-signed", "asc", run("--output", "-", "--clear-sign", "e.com")
        subprocess.run(["gpgconf", "--homedir", directory, "--kill", "gpg-agent"], check=False, capture_output=True)


def outlook(data, name="e.com", method=1, tag=0x3701, more=()):
    """The streams of a message file of one attachment ([MS-OXMSG] 2.2.2)."""
    wide = name.encode("utf-16-le")
    rows = b"".join(struct.pack("<HHIQ", kind, number, 6, value) for kind, number, value in ((3, 0x3705, method), (3, 0x0E21, 0), (0x1F, 0x3707, len(wide) + 2), (0x102, tag, len(data))))
    attachment = [("__properties_version1.0", bytes(8) + rows), ("__substg1.0_3707001F", wide), (f"__substg1.0_{tag:04X}0102", data)]
    head = bytes(8) + struct.pack("<4I", 0, 1, 0, 1) + bytes(8)
    subject = "An invoice".encode("utf-16-le")
    properties = head + struct.pack("<HHIQ", 0x1F, 0x001A, 6, 18) + struct.pack("<HHIQ", 0x1F, 0x0037, 6, len(subject) + 2)
    return [("__properties_version1.0", properties), ("__substg1.0_001A001F", "IPM.Note".encode("utf-16-le")), ("__substg1.0_0037001F", subject), ("__nameid_version1.0/__substg1.0_00020102", b""), ("__nameid_version1.0/__substg1.0_00030102", b""),
            ("__nameid_version1.0/__substg1.0_00040102", b""), *((f"__attach_version1.0_#00000000/{stream}", content) for stream, content in attachment), *more]


def by_outlook():
    for (kind, data), cutoff in itertools.product(KINDS.items(), (4096, 0)):
        padding = bytes(0 if cutoff else 5000)
        for form, method in (("value", 1), ("web", 7), ("reference", 2)):
            yield f"msg-{form}-{cutoff}-{kind}", "msg", compound(outlook(data + padding, method=method))
        for name in ("é.zip", "x" * 100, ""):
            yield f"msg-named-{len(name)}-{cutoff}-{kind}", "msg", compound(outlook(data + padding, name))
        html = b"<html><img src='data:image/png;base64," + base64_lines(data, 1 << 20, "").encode() + b"'></html>"
        yield f"msg-html-{cutoff}-{kind}", "msg", compound(outlook(HARMLESS, more=[("__substg1.0_10130102", html)]))
        zipped = zip_of(Member("a.msg", compound(outlook(data + padding))))
        yield f"msg-zipped-{cutoff}-{kind}", "zip", zipped


def variants():
    for name, data in by_python():
        yield name, "eml", data
    for part in (by_openssl, by_gpg, by_outlook):
        yield from part()
