"""Bytes that stand in text which a program decodes: web pages, web archives, calendars, cards, directories, PEM, `data:` addresses."""

import base64, itertools, json, urllib.parse

from base import FRONTS, PAYLOADS, Member, base64_lines, mail, zip_of
from mail import quoted

KINDS = {kind: PAYLOADS[kind] for kind in ("eicar", "zip", "hidden", "tgz")}
FEW = {kind: PAYLOADS[kind] for kind in ("eicar", "hidden")}


def base64_of(data):
    return base64.b64encode(data).decode()


def folded(text, width=74, newline="\r\n "):
    return newline.join(text[at:at + width] for at in range(0, len(text), width))


def scripts():
    """HTML smuggling: a page whose script makes a file of a string and has the browser save it."""
    save = "const link=document.createElement('a');link.href=URL.createObjectURL(new Blob([bytes],{type:'application/octet-stream'}));link.download='e.com';link.click();"
    decodings = {
        "atob": 'const bytes=Uint8Array.from(atob("%s"),letter=>letter.charCodeAt(0));', "atob-single": "const text='%s';const bytes=Uint8Array.from(atob(text),letter=>letter.charCodeAt(0));", "atob-template": "const bytes=Uint8Array.from(window.atob(`%s`),letter=>letter.charCodeAt(0));",
        "from-base64": 'const bytes=Uint8Array.fromBase64("%s");', "fetch": 'const bytes=await(await fetch("data:application/octet-stream;base64,%s")).arrayBuffer();', "save-blob": 'const bytes=Uint8Array.from(atob("%s"),letter=>letter.charCodeAt(0));navigator.msSaveBlob(new Blob([bytes]),"e.com");',
    }
    pages = {"html": ("<!DOCTYPE html><html><head><title>A page</title></head><body><script>%s</script></body></html>", "html"), "script": ("%s", "js"), "svg": ('<svg xmlns="http://www.w3.org/2000/svg"><script><![CDATA[%s]]></script></svg>', "svg"), "module": ('<!doctype html><script type="module">\n%s\n</script>\n', "htm"), "hta": ("<html><hta:application/><script language='javascript'>%s</script></html>", "hta")}
    for (kind, data), (name, decoding), (page, (around, extension)) in itertools.product(KINDS.items(), decodings.items(), pages.items()):
        text = around.replace("%s", decoding.replace("%s", base64_of(data)) + save)
        yield f"smuggled-{name}-{page}-{kind}", extension, text.encode()
        if page == "html":
            yield f"smuggled-{name}-utf-16-{kind}", "html", text.encode("utf-16")
            yield f"smuggled-{name}-mailed-{kind}", "eml", mail(base64_lines(text.encode()))


def addresses():
    """`data:` addresses (RFC 2397) at each place of a page."""
    places = {
        "link": '<a href="%s" download="e.com">the invoice</a>', "image": "<img src='%s'>", "frame": '<iframe src="%s"></iframe>', "object": '<object data="%s"></object>', "embed": '<embed src="%s">', "refresh": '<meta http-equiv="refresh" content="0;url=%s">', "style": "<style>body{background:url(%s)}</style>",
        "svg": '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"><image xlink:href="%s"/></svg>', "form": '<form action="%s"></form>', "unquoted": "<a href=%s download>x</a>",
    }
    forms = {
        "base64": lambda data: "data:application/octet-stream;base64," + base64_of(data), "no-type": lambda data: "data:;base64," + base64_of(data), "parameters": lambda data: "data:application/zip;name=e.zip;charset=utf-8;base64," + base64_of(data), "upper": lambda data: "DATA:application/zip;BASE64," + base64_of(data),
        "percent": lambda data: "data:application/octet-stream," + urllib.parse.quote_from_bytes(data, safe=""), "escaped-base64": lambda data: "data:application/zip;base64," + urllib.parse.quote(base64_of(data), safe=""),
    }
    for (kind, data), (place, around), (form, write) in itertools.product(FEW.items(), places.items(), forms.items()):
        yield f"address-{form}-{place}-{kind}", "html", f"<!DOCTYPE html><html><body><p>A page.</p>{around.replace('%s', write(data))}</body></html>\n".encode()
    # Without a page around it, most programs that follow an address take base64 alone.
    for (kind, data), (form, write) in itertools.product(KINDS.items(), list(forms.items())[:4]):
        yield f"address-{form}-css-{kind}", "css", f"body {{ color: red; background: url('{write(data)}') }}\n".encode()
        yield f"address-{form}-markdown-{kind}", "md", f"# A text\n\n![a picture]({write(data)})\n".encode()
        yield f"address-{form}-json-{kind}", "json", json.dumps({"name": "e.com", "content": write(data)}).encode()
        yield f"address-{form}-alone-{kind}", "txt", write(data).encode()


def archives():
    """Web archives (RFC 2557) as browsers and Word save them."""
    for (kind, data), encoding, place in itertools.product(KINDS.items(), ("base64", "quoted-printable", "binary"), ("part", "first", "word")):
        body = {"base64": base64_lines(data), "quoted-printable": quoted(data), "binary": data.decode("latin-1") + "\r\n"}[encoding]
        attached = f"Content-Type: {'application/x-mso' if place == 'word' else 'image/png'}\r\nContent-Transfer-Encoding: {encoding}\r\nContent-Location: {'file:///C:/a/oledata.mso' if place == 'word' else 'https://example.org/a.png'}\r\n\r\n{body}"
        page = "Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\nContent-Location: https://example.org/\r\n\r\n<html><img src=3D\"a.png\"></html>\r\n"
        parts = (attached, page) if place == "first" else (page, attached)
        head = "From: <Saved by Blink>\r\nSnapshot-Content-Location: https://example.org/\r\nSubject: A page\r\nDate: Mon, 1 Jan 2024 00:00:00 -0000\r\nMIME-Version: 1.0\r\nContent-Type: multipart/related;\r\n\ttype=\"text/html\";\r\n\tboundary=\"----MultipartBoundary--x----\"\r\n\r\n\r\n"
        if place == "word":
            head = 'MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary="----MultipartBoundary--x----"\r\n\r\nThis document is a Single File Web Page, also known as a Web Archive file.\r\n\r\n'
        text = head + "".join(f"------MultipartBoundary--x----\r\n{part}\r\n" for part in parts) + "------MultipartBoundary--x------\r\n"
        yield f"mhtml-{place}-{encoding}-{kind}", "doc" if place == "word" else "mhtml", text.encode("latin-1")
        yield f"mhtml-lf-{place}-{encoding}-{kind}", "mht", text.encode("latin-1").replace(b"\r\n", b"\n")


def records():
    for kind, data in KINDS.items():
        text = base64_of(data)
        attach = {"usual": "ATTACH;ENCODING=BASE64;VALUE=BINARY", "typed": "ATTACH;FMTTYPE=application/zip;ENCODING=BASE64;VALUE=BINARY;X-FILENAME=e.zip", "lower": "attach;value=binary;encoding=base64", "quoted": 'ATTACH;FILENAME="a:b;c.zip";VALUE=BINARY;ENCODING=BASE64', "image": "IMAGE;VALUE=BINARY;ENCODING=BASE64;FMTTYPE=image/png"}
        for name, field in attach.items():
            for fold, lines in {"folded": folded(text), "tab": folded(text, 70, "\r\n\t"), "lf": folded(text, 60, "\n "), "one-line": text}.items():
                for component in ("VEVENT", "VTODO", "VJOURNAL"):
                    yield f"calendar-{name}-{fold}-{component}-{kind}", "ics", f"BEGIN:VCALENDAR\r\nPRODID:-//Example//EN\r\nVERSION:2.0\r\nBEGIN:{component}\r\nUID:1\r\nDTSTAMP:20240101T000000Z\r\nSUMMARY:A meeting\r\n{field}:{lines}\r\nEND:{component}\r\nEND:VCALENDAR\r\n".encode()
        cards = {"photo-2.1": ("2.1", "PHOTO;ENCODING=BASE64;TYPE=JPEG", "\r\n\r\n"), "photo-2.1-bare": ("2.1", "PHOTO;JPEG;BASE64", "\r\n\r\n"), "photo-3": ("3.0", "PHOTO;ENCODING=b;TYPE=JPEG", "\r\n"), "logo-3": ("3.0", "LOGO;TYPE=PNG;ENCODING=B", "\r\n"), "sound-3": ("3.0", "item1.SOUND;ENCODING=b", "\r\n"), "key-3": ("3.0", "KEY;TYPE=X509;ENCODING=b", "\r\n"), "photo-4": ("4.0", "PHOTO:data:image/jpeg;base64,", "\r\n"), "own-3": ("3.0", "X-FILE;ENCODING=BASE64", "\r\n")}
        for name, (version, field, end) in cards.items():
            for fold, lines in {"folded": folded(text), "one-line": text}.items():
                value = f"{field}{lines}" if field.endswith(",") else f"{field}:{lines}"
                yield f"card-{name}-{fold}-{kind}", "vcf", f"BEGIN:VCARD\r\nVERSION:{version}\r\nN:Example;Ann\r\nFN:Ann Example\r\n{value}{end}END:VCARD\r\n".encode()
        for name, attribute in {"photo": "jpegPhoto::", "tight": "userCertificate;binary::", "own": "description:: "}.items():
            for fold, lines in {"folded": folded(text, 70, "\n "), "one-line": text}.items():
                yield f"directory-{name}-{fold}-{kind}", "ldif", f"version: 1\n\ndn: cn=Ann,dc=example,dc=org\nobjectClass: person\ncn: Ann\n{attribute} {lines.strip()}\n\n".encode()
        for label in ("CERTIFICATE", "PKCS7", "CMS", "RSA PRIVATE KEY", "X"):
            for front in ("", "Bag Attributes\n    friendlyName: a\n"):
                yield f"pem-{label}-{len(front)}-{kind}", "pem", f"{front}-----BEGIN {label}-----\n{base64_lines(data, 64, chr(10))}-----END {label}-----\n".encode()
        yield f"zipped-html-{kind}", "zip", zip_of(Member("a.html", FRONTS["html"] + f'<a href="data:application/zip;base64,{text}">x</a>'.encode()))
        yield f"settings-json-{kind}", "json", json.dumps({"files": [{"name": "e.com", "content": text}]}, indent=2).encode()
        yield f"settings-yaml-{kind}", "yaml", f"file: !!binary |\n{base64_lines(data, 72, chr(10) + '  ').join(['  ', ''])}\n".encode()
        yield f"plist-{kind}", "plist", f'<?xml version="1.0"?>\n<plist version="1.0"><dict><key>file</key><data>\n\t{base64_lines(data, 60, chr(10) + chr(9))}</data></dict></plist>\n'.encode()
        yield f"rss-{kind}", "xml", f'<?xml version="1.0"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body><file>{text}</file></soap:Body></soap:Envelope>'.encode()


def variants():
    for part in (scripts, addresses, archives, records):
        yield from part()
