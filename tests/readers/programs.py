"""The programs that ordinary people and mail systems open files with, each with what it must see before it opens anything.

`wants` is a necessary condition that the program itself checks, taken from its source or manual, so that leaving the program out for other
data changes no answer. Programs that try everything have none.
"""

import os, re, shutil, signal, subprocess

PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin:/usr/games"
TIMEOUT_SECONDS = 20
# Of a normal diff, or a script of ed.
PATCH_COMMAND = re.compile(rb"^[ \t]*[0-9,]+[aci]", re.MULTILINE)
NODE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "node")


def anything(_):
    return True


def has(*signatures):
    return lambda data: any(signature in data for signature in signatures)


def begins(*signatures):
    return lambda data: data.startswith(signatures)


def at(place, *signatures):
    return lambda data: data[place:place + 8].startswith(signatures)


def either(*conditions):
    return lambda data: any(condition(data) for condition in conditions)


def both(*conditions):
    return lambda data: all(condition(data) for condition in conditions)


def of_node(reader, package, wants):
    """A library that `node/read.mjs` asks. `npm ci` installs it."""
    return Program(f"node {NODE}/read.mjs {reader} {{path}} {{directory}}", wants, needs=["node", f"{NODE}/node_modules/{package}/package.json"])


class Program:
    """A command; `{path}` is the file, `{directory}` where it unpacks to and is run. With `prints`, standard output is what it unpacks."""

    def __init__(self, command, wants=anything, prints=False, reads_stdin=False, needs=None):
        self.command, self.may_read, self.prints, self.reads_stdin = command, wants, prints, reads_stdin
        self.needs = needs or [command.split()[0]]

    def unpack(self, path, _, directory):
        inside = os.path.join(directory, "in")
        os.mkdir(inside)
        environment = {"PATH": PATH, "HOME": directory, "LC_ALL": "C.UTF-8", "MTOOLS_SKIP_CHECK": "1", "TMPDIR": directory}
        words = [word.format(path=path, directory=inside) for word in self.command.split()]
        if self.needs[0] == "sh":
            words = ["sh", "-c", self.command.removeprefix("sh ").format(path=path, directory=inside)]
        with open(path if self.reads_stdin else os.devnull, "rb") as stdin:
            printed = run(words, inside, environment, stdin)
        if self.prints:
            yield printed
        yield from files_below(inside)


def run(words, directory, environment, stdin):
    """What it prints until it ends or its time is up. In a session of its own, it has no terminal to ask questions on."""
    with subprocess.Popen(words, cwd=directory, env=environment, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True) as process:
        try:
            return process.communicate(timeout=TIMEOUT_SECONDS)[0]
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return process.communicate()[0]


def files_below(directory):
    for root, _, files in os.walk(directory):
        for file in sorted(files):
            full = os.path.join(root, file)
            if os.path.isfile(full) and not os.path.islink(full):
                try:
                    with open(full, "rb") as opened:
                        yield opened.read(30_000_000)
                except OSError:
                    pass


def shell(pipeline, needs, wants=anything):
    program = Program("sh " + pipeline, wants)
    program.needs = ["sh", *needs]
    return program


def installed(program):
    return all(shutil.which(command, path=PATH) or os.path.isfile(command) for command in program.needs)


def has_mime(data):
    """Of a message without such a field, these programs save what Python's email saves."""
    return b"content-t" in data.lower()


def libreoffice(format_, wants):
    """What it makes of a document when it saves it in FORMAT: the objects that it found are parts of that."""
    return Program(f"soffice --headless --convert-to {format_} --outdir {{directory}} {{path}}", wants)


COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
ARCHIVE_OF_LHA = re.compile(rb"-(lh|lz|pm|pc)[0-9a-z]-")
LZ4 = (b"\x04\x22\x4d\x18", b"\x02\x21\x4c\x18", b"\x03\x21\x4c\x18") + tuple(bytes([0x50 + n]) + b"\x2a\x4d\x18" for n in range(16))
ZSTD = (b"\x28\xb5\x2f\xfd",) + tuple(bytes([0x1E + n]) + b"\xb5\x2f\xfd" for n in range(16)) + (b"\xfd\x2f\xb5",)
SQUASHFS = (b"hsqs", b"sqsh", b"shsq", b"qshs")
DISKS = either(has(b"QFI\xfb", b"KDMV", b"COWD", b"conectix", b"koly", b"vhdxfile", b"<<< ", b"WithoutFreeSpace", b"Bochs Virtual"), begins(b"WithouFreSpacExt"))

PROGRAMS = {
    "7z": Program("7z x -y -bd -px -o{directory} {path}"),
    "7zz": Program("7zz x -y -bd -px -o{directory} {path}"),
    "gnutar": Program("tar xf {path} -C {directory} --no-same-owner"),
    "bsdtar": Program("bsdtar -xf {path} -C {directory}"),
    "unar": Program("unar -q -f -D -o {directory} {path}"),
    "unzip": Program("unzip -qqo -P x {path} -d {directory}", has(b"PK")),
    "jar": Program("jar xf {path}", has(b"PK\3\4")),
    "gzip": Program("gzip -dc", begins(b"\x1f", b"PK\3\4"), prints=True, reads_stdin=True),
    "xz": Program("xz -dc {path}", either(begins(b"\xfd7zXZ", b"LZIP"), lambda data: data[:1] < b"\xe1"), prints=True),
    "bzip2": Program("bzip2 -dc {path}", begins(b"BZh"), prints=True),
    "zstd": Program("zstd -dc {path}", begins(*ZSTD, *LZ4), prints=True),
    "lz4": Program("lz4 -dc {path}", begins(*LZ4), prints=True),
    "lzip": Program("lzip -dc {path}", begins(b"LZIP"), prints=True),
    "lzop": Program("lzop -dc {path}", begins(b"\x89LZO"), prints=True),
    "lzop-unchecked": Program("lzop -dcF {path}", begins(b"\x89LZO"), prints=True),
    "lzop-extract": Program("lzop -x {path}", begins(b"\x89LZO")),
    "cpio": Program("cpio -id --quiet --no-absolute-filenames", begins(b"0707", b"\xc7\x71", b"\x71\xc7"), reads_stdin=True),
    "ar": Program("ar x {path}", begins(b"!<arch>\n", b"!<thin>\n")),
    "dpkg-deb": Program("dpkg-deb -x {path} {directory}", begins(b"!<arch>\n")),
    "rpm2cpio": shell("rpm2cpio {path} | cpio -id --quiet --no-absolute-filenames", ["rpm2cpio", "cpio"], begins(b"\xed\xab\xee\xdb")),
    "cabextract": Program("cabextract -q -d {directory} {path}", has(b"MSCF")),
    "msiextract": Program("msiextract -C {directory} {path}", begins(COMPOUND)),
    "lhasa": Program("lhasa xq {path}", lambda data: ARCHIVE_OF_LHA.search(data) is not None),
    "arj": Program("arj x -y {path}", has(b"\x60\xea")),
    "arc": Program("arc x {path}", has(b"\x1a")),
    "nomarch": Program("nomarch {path}", has(b"\x1a")),
    "hexbin": Program("hexbin -d {path}", has(b":")),
    "macunpack": Program("macunpack -d {path}", lambda data: data[:1] == b"\0" or data[:1] < b"\x40"),
    "uudecode": Program("uudecode -o {directory}/out {path}", has(b"begin")),
    "uudeview": Program("uudeview -i -q -o -a +e .com.txt.bin.exe.tar.zip -p {directory} {path}", has(b"begin", b":", b"=y", b"=\n", b"=\r")),
    "munpack": Program("munpack -q -f -t -C {directory} {path}", has(b":", b"begin")),
    "ripmime": Program("ripmime -i {path} -d {directory}", has(b":", b"begin")),
    # Mail programs with parsers of their own: mu has GMime's, as Evolution and GNOME do.
    "mu": Program("mu extract --save-all --overwrite --target-dir={directory} {path}", has_mime),
    "mblaze": Program("mshow -x {path}", has_mime),
    "nmh": shell("echo Path: {directory} > {directory}/profile; MH={directory}/profile /usr/bin/mh/mhstore -file {path} -auto -clobber suffix", ["/usr/bin/mh/mhstore"], has_mime),
    "reformime": shell("reformime -i < {path} | sed -n 's/^section: //p' | sort -r | awk 'index(last, $0 \".\") != 1 {{ print }} {{ last = $0 }}' | head -40 | while read -r section; do reformime -s $section -e < {path} > {directory}/$section; done", ["reformime"], has_mime),
    "mime-tools": Program("perl -MMIME::Parser -e MIME::Parser->new(output_dir=>q({directory}),extract_nested_messages=>1,extract_uuencode=>1,ignore_errors=>1)->parse_open(q({path}))", has_mime, needs=["perl", "/usr/share/perl5/MIME/Parser.pm"]),
    "git-mailsplit": Program("git mailsplit -o{directory} {path}", has(b"From ")),
    "git-mailsplit-mboxrd": Program("git mailsplit --mboxrd -o{directory} {path}", has(b"From ")),
    "patch": Program("patch -s -f -p1 -d {directory} -i {path}", either(has(b"@@ -", b"*** 0"), PATCH_COMMAND.search)),
    "git-apply": Program("git apply --whitespace=nowarn {path}", has(b"diff --git")),
    "formail": shell("formail -s sh -c 'cat > {directory}/$FILENO' < {path}", ["formail"], begins(b"From ")),
    "msgconvert": Program("msgconvert --outfile {directory}/out.eml {path}", both(begins(COMPOUND), has("__substg1".encode("utf-16-le"))), needs=["msgconvert", "/usr/share/perl5/Email/Address.pm"]),
    "tnef": Program("tnef --overwrite --ignore-checksum --save-body=body --body-pref=all -C {directory} -f {path}", has(b"\x78\x9f\x3e\x22")),
    "ytnef": Program("ytnef -F -f {directory} {path}", begins(b"\x78\x9f\x3e\x22")),
    # Every value of every tag, each in a file.
    "exiftool": Program("exiftool -q -q -a -b -All -ICC_Profile -W {directory}/%t-%c {path}", either(begins(b"ID3", b"\xff", b"fLaC", b"\x89PNG", b"RIFF", b"OggS", b"\x1a\x45\xdf\xa3"), at(4, b"ftyp"))),
    "sqlite3": Program("sqlite3 -Axf {path}", begins(b"SQLite format 3\0")),
    "git": Program("git clone -q {path} {directory}/out", begins(b"# v2 git bundle\n")),
    "unsquashfs": Program("unsquashfs -q -f -d {directory}/out {path}", begins(*SQUASHFS)),
    "debugfs": shell("debugfs -R 'rdump / {directory}' {path} 2>/dev/null", ["debugfs"], at(1080, b"\x53\xef")),
    "xorriso": Program("xorriso -osirrox on -indev {path} -extract / {directory}", lambda data: b"CD001" in data[32768:2_000_000]),
    "mtools": Program("mcopy -s -n -i {path} ::/ {directory}", at(0, b"\xeb", b"\xe9")),
    "hfsutils": shell("hmount {path} && hcopy -r ':*' {directory}; humount", ["hmount", "hcopy"], either(at(1024, b"BD"), begins(b"ER"), at(512, b"PM"))),
    "qemu-img": Program("qemu-img convert -O raw {path} {directory}/raw", DISKS),
    "ntfs-3g": shell("ntfscat -f {path} e.com > {directory}/e.com", ["ntfscat"], at(3, b"NTFS")),
    "wimlib": Program("wimlib-imagex extract {path} 1 --dest-dir={directory} --no-acls", begins(b"MSWIM\0\0\0")),
    "pdfdetach": Program("pdfdetach -saveall -o {directory} {path}", has(b"obj")),
    "qpdf": shell("qpdf --list-attachments {path} 2>/dev/null | sed 's/ -> .*//' | while IFS= read -r key; do qpdf --show-attachment=\"$key\" {path} > {directory}/attached 2>/dev/null; cat {directory}/attached; done | tee {directory}/all >/dev/null",
                  ["qpdf"], has(b"obj")),
    "mutool": Program("mutool extract {path}", has(b"obj")),
    "pdfimages": Program("pdfimages -all {path} {directory}/image", has(b"obj")),
    "pdfsig": Program("pdfsig -nocert -dump {path}", has(b"obj")),
    "pdfinfo-meta": Program("pdfinfo -meta {path}", has(b"obj"), prints=True),
    "pdf.js": of_node("pdfjs", "pdfjs-dist", has(b"obj")),
    "mailparser": of_node("mailparser", "mailparser", has_mime),
    "postal-mime": of_node("postal-mime", "postal-mime", has_mime),
    "openssl-smime": Program("openssl smime -verify -noverify -in {path}", has(b"pkcs7", b"PKCS7", b"multipart/signed"), prints=True),
    "openssl-der": Program("openssl cms -verify -noverify -inform DER -in {path}", begins(b"\x30"), prints=True),
    "openssl-pem": Program("openssl cms -verify -noverify -inform PEM -in {path}", has(b"-----BEGIN"), prints=True),
    "openssl-uncompress": Program("openssl cms -uncompress -inform DER -in {path}", begins(b"\x30"), prints=True),
    "openssl-data": Program("openssl cms -data_out -inform DER -in {path}", begins(b"\x30"), prints=True),
    "openssl-digest": Program("openssl cms -digest_verify -inform DER -in {path}", begins(b"\x30"), prints=True),
    "gpgsm": Program("gpgsm --batch --no-tty --no-autostart --disable-dirmngr --disable-crl-checks -o {directory}/out --verify {path}", either(begins(b"\x30"), has(b"-----BEGIN"))),
    "gpg-dearmor": Program("gpg --batch --no-tty --dearmor -o {directory}/out {path}", has(b"-----BEGIN PGP")),
    "gpg": Program("gpg --batch --no-tty --skip-verify -d {path}", either(lambda data: data[:1] >= b"\x80", has(b"-----BEGIN PGP")), prints=True),
    # It runs the archive, so it gets only archives that shar wrote, never changed ones.
    "unshar": Program("unshar -c -d {directory} {path}", lambda data: b"# This is a shell archive" in data[:4000] and b"SHAR_EOF" in data),
}

FLAT = (b"<office:document ", b"<w:wordDocument", b"<pkg:package", b"progid=\"Word.Document\"")
# In PDF, the document as it was before it was exported, which LibreOffice opens in place of the pages.
HYBRID = has(b"/AdditionalStreams")
# Those that take seconds for each file, which `make soak` asks.
SLOW = {
    "libreoffice-writer": libreoffice("odt", either(begins(b"{\\rt"), has(*FLAT, b"word/", b"opendocument.text"), both(begins(COMPOUND), has("WordDocument".encode("utf-16-le"))), HYBRID)),
    "libreoffice-calc": libreoffice("ods", either(has(b"xl/", b"opendocument.spreadsheet"), both(begins(COMPOUND), has("Book".encode("utf-16-le"), "Workbook".encode("utf-16-le"))), HYBRID)),
    "libreoffice-impress": libreoffice("odp", either(has(b"ppt/", b"opendocument.presentation"), both(begins(COMPOUND), has("PowerPoint Document".encode("utf-16-le"))), HYBRID)),
}
if os.environ.get("SOAK"):
    PROGRAMS |= SLOW
