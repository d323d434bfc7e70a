#!/usr/bin/env python3
"""Builds the ClamAV layer from Debian's packages, without a container engine.

    build.py lock [ARCH...]         resolve the newest packages and write packages.lock
    build.py build ARCH DIRECTORY   build the layer in DIRECTORY, as it will appear in /opt, and as DIRECTORY.zip

ARCH is x86_64 or arm64. Packages come through this machine's own apt sources, which must include Debian 12 and its
security updates; APT_SOURCES names another file or directory of sources. Needs apt-get, dpkg-deb, readelf and patchelf;
no root. The Debian part of the layer depends on packages.lock only: names, versions and SHA-256 are checked.
`airlock-engine` (engine/) is built by this machine's Rust, if that builds for ARCH and libclamav-dev is installed;
without it the layer has clamd only, and build.py reports that.
"""

import argparse, fcntl, glob, hashlib, io, json, os, platform, re, shutil, subprocess, sys, tarfile, tempfile, time, zipfile

from debian import RELEASE, Apt, run
from rust_std import StdError, TARGET, is_installed, rust_for_arm64

HERE = os.path.dirname(os.path.abspath(__file__))
ARCHITECTURES = {"x86_64": ("amd64", "ld-linux-x86-64.so.2"), "arm64": ("arm64", "ld-linux-aarch64.so.1")}
WANTED = ["clamav-daemon", "clamav-freshclam", "ca-certificates", "clamav-testfiles", "p7zip-full", "libarchive13"]
PROGRAMS = ["usr/sbin/clamd", "usr/bin/freshclam"]
# The libraries that the scan function's worker loads, by their names there.
OPENERS = ["7z.so", "libarchive.so.13"]
# The libraries that Rust links a function with: the worker is one, run with the layer's C library.
FUNCTION_NEEDS = ["libc.so.6", "libdl.so.2", "libgcc_s.so.1", "libm.so.6", "libpthread.so.0", "librt.so.1"]
CERTIFICATES = "usr/share/ca-certificates/mozilla"
# The files with which a snapshot's verdicts are checked before it is published.
TEST_FILES = "usr/share/clamav-testfiles"
# libc's conversions between encodings. Without them ClamAV finds nothing in HTML in UTF-32, for example.
# `GCONV_PATH` (shared/clamd/src/program.rs) names the directory in the layer.
CONVERSIONS = "usr/lib/*/gconv"
ENGINE = "engine"
# Not /opt/lib: Lambda puts that on every function's library path, and this directory holds a libc.
LIBRARIES = "lib/clamav"
CROSS_COMPILER, CROSS_STRIP = "aarch64-linux-gnu-gcc", "aarch64-linux-gnu-strip"


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def elf(path):
    """The sonames that a program or library needs; None when it is neither."""
    with open(path, "rb") as file:
        if file.read(4) != b"\x7fELF":
            return None
    text = run("readelf", "-d", path, capture_output=True).stdout
    return re.findall(r"\(NEEDED\)\s+Shared library: \[(.+)\]", text)


def libraries(root):
    """Where each library of the unpacked packages is."""
    found = {}
    for directory, _, files in os.walk(root):
        for file in files:
            if ".so" in file and ("/lib/" in directory + "/" or directory.endswith("/lib")):
                found.setdefault(file, os.path.join(directory, file))
    return found


def closure(root, loader, programs=()):
    """The libraries of the packages' programs and of `programs`, the openers, those that a function needs, and theirs, by name."""
    available, found = libraries(root), {}
    wanted = [loader, *OPENERS, *FUNCTION_NEEDS]
    for program in [*(os.path.join(root, program) for program in PROGRAMS), *programs]:
        wanted += elf(program)
    while wanted:
        soname = wanted.pop()
        if soname not in found:
            if soname not in available:
                sys.exit(f"no package has {soname}")
            found[soname] = os.path.realpath(available[soname])
            wanted += elf(found[soname])
    return found


def lock(lock_file, architectures):
    locked = {}
    for arch in architectures:
        debian_arch, loader = ARCHITECTURES[arch]
        with tempfile.TemporaryDirectory() as work:
            apt = Apt(debian_arch, os.path.join(work, "apt"))
            apt.update()
            lines = apt("install", "--print-uris", "--no-install-recommends", "-y", *WANTED, capture_output=True).stdout.splitlines()
            packages = [dict(zip(("name", "version"), line.split()[1].replace("%3a", ":").split("_"))) for line in lines]
            root, owners = os.path.join(work, "root"), {}
            for package, deb in zip(packages, apt.download(packages, os.path.join(work, "debs"))):
                package["sha256"] = sha256(deb)
                run("dpkg-deb", "-x", deb, root)
                listed = run("dpkg-deb", "--fsys-tarfile", deb, capture_output=True, text=False).stdout
                with tarfile.open(fileobj=io.BytesIO(listed)) as members:
                    owners |= {os.path.normpath(member.name): package for member in members if not member.isdir()}
            used = [*PROGRAMS, *(os.path.relpath(path, root) for path in closure(root, loader).values())]
            chosen = {owners[path]["name"]: owners[path] for path in used}
            chosen |= {package["name"]: package for path, package in owners.items() if path.startswith((CERTIFICATES, TEST_FILES))}
            # Some packages' licences are in another one.
            licences = [os.path.realpath(os.path.join(root, licence_of(name))) for name in chosen]
            chosen |= {owners[path]["name"]: owners[path] for path in (os.path.relpath(licence, root) for licence in licences)}
            locked[arch] = [chosen[name] for name in sorted(chosen)]
    with open(lock_file, "w") as file:
        json.dump(locked, file, indent=1)
        file.write("\n")


def unpack(lock_file, arch, work):
    """All locked packages in one tree, each checked."""
    apt, root = Apt(ARCHITECTURES[arch][0], os.path.join(work, "apt")), os.path.join(work, "root")
    with open(lock_file) as file:
        packages = json.load(file)[arch]
    apt.update()
    for package, deb in zip(packages, apt.download(packages, os.path.join(work, "debs"))):
        if sha256(deb) != package["sha256"]:
            sys.exit(f"{os.path.basename(deb)} is not the package that was locked")
        run("dpkg-deb", "-x", deb, root)
    return packages, root


def copy(source, target, mode):
    os.makedirs(os.path.dirname(target), exist_ok=True)
    shutil.copyfile(source, target)
    os.chmod(target, mode)


def glibc_of(path):
    """The newest version of the C library that a program asks for, or that the C library itself is."""
    versions = re.findall(r"GLIBC_(\d+)\.(\d+)", run("readelf", "-V", "--wide", path, capture_output=True).stdout)
    return max((int(major), int(minor)) for major, minor in versions)


def build_engine(arch, root, work):
    """airlock-engine, as a list of one path; of none where it cannot be built, for a reason that is printed."""
    native = arch == platform.machine().replace("aarch64", "arm64")
    target_directory = os.environ.get("CARGO_TARGET_DIR") or os.path.join(HERE, "../target/engine-build")
    built, options, reason = os.path.join(target_directory, "release/airlock-engine"), {}, None
    if not shutil.which("cargo"):
        reason = "there is no cargo"
    elif not glob.glob("/usr/lib/*/libclamav.so"):
        reason = "libclamav-dev is not installed"
    elif not native:
        built = os.path.join(target_directory, TARGET, "release/airlock-engine")
        try:
            options = for_arm64(arch, root, work)
        except StdError as error:
            reason = str(error)
    if not reason:
        target = [] if native else ["--target", TARGET]
        run("cargo", "build", "--release", "--locked", "--quiet", *target, cwd=os.path.join(HERE, ENGINE), **options)
        path = os.path.join(work, "airlock-engine")
        run("strip" if native else CROSS_STRIP, "-o", path, built)
        has, wants = glibc_of(libraries(root)["libc.so.6"]), glibc_of(path)
        if wants <= has:
            return [path]
        reason = f"this machine's C library is newer than the layer's ({wants} and {has})"
    print(f"the layer for {arch} is without airlock-engine: {reason}. `ENGINE=snapshot` does not work with it.", file=sys.stderr)
    return []


def for_arm64(arch, root, work):
    """The environment in which Cargo builds the engine for arm64: with the layer's libraries and this machine's headers."""
    if arch != "arm64" or not shutil.which(CROSS_COMPILER):
        raise StdError(f"this machine does not build for {arch}" if arch != "arm64" else f"{CROSS_COMPILER} is not installed")
    rust_flags, variables = rust_for_arm64()
    include, linked = os.path.join(work, "include"), os.path.join(work, "linked")
    os.makedirs(os.path.join(include, "openssl"))
    os.makedirs(linked)
    # The headers of both architectures are the same, but the compiler would also take this machine's libc's.
    for path in glob.glob("/usr/include/clamav*.h"):
        os.symlink(path, os.path.join(include, os.path.basename(path)))
    for path in glob.glob("/usr/include/openssl/*.h") + glob.glob("/usr/include/*-linux-gnu/openssl/*.h"):
        os.symlink(path, os.path.join(include, "openssl", os.path.basename(path)))
    available = libraries(root)
    os.symlink(available["libclamav.so.12"], os.path.join(linked, "libclamav.so"))
    needed_by_it = sorted({os.path.dirname(path) for path in available.values()})
    rust_flags += ["-Lnative=" + linked, *("-Clink-arg=-Wl,-rpath-link," + directory for directory in needed_by_it)]
    return {"env": os.environ | variables | {"CARGO_ENCODED_RUSTFLAGS": "\x1f".join(rust_flags), "CFLAGS_aarch64_unknown_linux_gnu": f"-isystem {include}",
                                 "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER": CROSS_COMPILER}}


def build(lock_file, arch, directory):
    loader = ARCHITECTURES[arch][1]
    shutil.rmtree(directory, ignore_errors=True)
    with tempfile.TemporaryDirectory() as work:
        packages, root = unpack(lock_file, arch, work)
        at = lambda *parts: os.path.join(directory, *parts)
        engine = build_engine(arch, root, work)
        for soname, path in closure(root, loader, engine).items():
            copy(path, at(LIBRARIES, soname), 0o755)
        copy_conversions(root, at(LIBRARIES, "gconv"))
        for name in sorted(os.listdir(os.path.join(root, TEST_FILES))):
            copy(os.path.join(root, TEST_FILES, name), at("share/clamav-testfiles", name), 0o644)
        for program in [*(os.path.join(root, program) for program in PROGRAMS), *engine]:
            target = at("bin", os.path.basename(program))
            copy(program, target, 0o755)
            # RPATH, not RUNPATH: it comes before LD_LIBRARY_PATH and holds for the libraries' own libraries.
            run("patchelf", "--set-interpreter", f"/opt/{LIBRARIES}/{loader}", "--force-rpath", "--set-rpath", f"/opt/{LIBRARIES}", target)
        certificates = os.path.join(root, CERTIFICATES)
        os.makedirs(at("etc/ssl"))
        with open(at("etc/ssl/ca-certificates.crt"), "wb") as bundle:
            for name in sorted(os.listdir(certificates)):
                bundle.write(open(os.path.join(certificates, name), "rb").read())
        document(arch, packages, root, at)
    pack(directory)


def copy_conversions(root, directory):
    """Copies libc's modules and the lists of what each converts."""
    found = glob.glob(os.path.join(root, CONVERSIONS))
    if len(found) != 1:
        sys.exit(f"libc6 has no `{CONVERSIONS}`: {found}")
    # libc reads no cache where GCONV_PATH is set.
    shutil.copytree(found[0], directory, ignore=shutil.ignore_patterns("*.cache"))


def document(arch, packages, root, at):
    """Every package's copyright file, and a bill of materials (CycloneDX 1.6)."""
    components = []
    for package in packages:
        licence = os.path.join(root, licence_of(package["name"]))
        copy(licence, at("share/doc", package["name"], "copyright"), 0o644)
        with open(licence, errors="replace") as text:
            names = sorted(set(re.findall(r"^License: *(\S.*?) *$", text.read(), re.MULTILINE)))
        components.append({
            "type": "library", "name": package["name"], "version": package["version"],
            "purl": f"pkg:deb/debian/{package['name']}@{package['version']}?arch={ARCHITECTURES[arch][0]}&distro={RELEASE}",
            "hashes": [{"alg": "SHA-256", "content": package["sha256"]}],
            "licenses": [{"license": {"name": name}} for name in names],
        })
    bill = {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
            "metadata": {"component": {"type": "application", "name": "airlock-clamav-layer", "version": arch}}, "components": components}
    with open(at("share/doc/sbom.cdx.json"), "w") as file:
        json.dump(bill, file, indent=1)


def licence_of(package):
    return f"usr/share/doc/{package}/copyright"


def pack(directory):
    """The same bytes for the same files: sorted, of one date."""
    with zipfile.ZipFile(directory + ".zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for parent, directories, files in os.walk(directory):
            directories.sort()
            for name in sorted(files):
                path = os.path.join(parent, name)
                info = zipfile.ZipInfo(os.path.relpath(path, directory), (1980, 1, 1, 0, 0, 0))
                info.external_attr = (os.stat(path).st_mode & 0xFFFF) << 16
                info.compress_type = zipfile.ZIP_DEFLATED
                with open(path, "rb") as file:
                    archive.writestr(info, file.read())


def build_once(lock_file, arch, directory):
    """Builds what is not built yet; others may be at it."""
    sources = sorted(path for pattern in ("src/**/*.*", "build.rs", "Cargo.*") for path in glob.glob(os.path.join(HERE, ENGINE, pattern), recursive=True))
    recipe = " ".join(sha256(path) for path in [lock_file, *sorted(glob.glob(os.path.join(HERE, "*.py"))), *sources])
    # A layer that was built without an engine is built again once there is what was missing.
    tools = [shutil.which("cargo"), glob.glob("/usr/lib/*/libclamav.so")]
    if arch == "arm64" and all(tools):
        tools += [shutil.which(CROSS_COMPILER), is_installed()]
    recipe += f" {tools}"
    os.makedirs(os.path.dirname(directory), exist_ok=True)
    with open(directory + ".lock", "w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        stamp = directory + ".stamp"
        if os.path.exists(stamp) and open(stamp).read() == recipe:
            return
        began = time.monotonic()
        build(lock_file, arch, directory)
        with open(stamp, "w") as file:
            file.write(recipe)
    n_bytes = sum(os.path.getsize(os.path.join(parent, name)) for parent, _, files in os.walk(directory) for name in files)
    print(f"{directory}: {n_bytes / 1e6:.1f} MB, {os.path.getsize(directory + '.zip') / 1e6:.1f} MB zipped, in {time.monotonic() - began:.0f} s")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lock-file", default=os.path.join(HERE, "packages.lock"))
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("lock").add_argument("arch", nargs="*", default=list(ARCHITECTURES))
    building = commands.add_parser("build")
    building.add_argument("arch", choices=ARCHITECTURES)
    building.add_argument("directory")
    asked = parser.parse_args()
    if asked.command == "lock":
        lock(asked.lock_file, asked.arch)
    else:
        build_once(asked.lock_file, asked.arch, os.path.abspath(asked.directory))


main()
