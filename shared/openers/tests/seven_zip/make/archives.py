"""Archives that keep files."""


def make_by_7z(maker):
    options = {
        "7z": [], "7z-copy": ["-mx0"], "7z-ppmd": ["-m0=ppmd"], "7z-bcj2": ["-m0=BCJ2", "-m1=LZMA2", "-m2=LZMA", "-m3=LZMA", "-mb0:1", "-mb0s1:2", "-mb0s2:3"],
        "7z-chain": ["-m0=Delta:4", "-m1=bzip2"],
        "zip": ["-tzip"], "zip-bzip2": ["-tzip", "-mm=bzip2"], "zip-lzma": ["-tzip", "-mm=lzma"], "zip-xz": ["-tzip", "-mm=xz"], "zip-ppmd": ["-tzip", "-mm=ppmd"],
        "zip-deflate64": ["-tzip", "-mm=deflate64"], "wim": ["-twim"], "tar": ["-ttar"],
    }
    for name, words in options.items():
        path = maker.work / f"{name}.made"
        maker.run("7z", "a", "-bd", "-y", *words, path, ".", cwd=maker.tree)
        maker.made(name, path)


def make_wim(maker):
    for kind in ("XPRESS", "LZX"):
        path = maker.work / f"{kind}.wim"
        maker.run("wimlib-imagex", "capture", maker.tree, path, f"--compress={kind}", "--no-acls")
        # 7-Zip adds the list of images.
        maker.made(f"wim-{kind.lower()}", path)
    path = maker.work / "solid.esd"
    maker.run("wimlib-imagex", "capture", maker.tree, path, "--solid", "--no-acls")
    maker.made("wim-solid", path)


def make_tar(maker):
    for kind in ("v7", "ustar", "pax", "gnu"):
        path = maker.work / f"{kind}.tar"
        maker.run("tar", "-cf", path, f"--format={kind}", ".", cwd=maker.tree)
        maker.made(f"tar-{kind}", path)


def make_cpio(maker):
    names = "\n".join(["text.txt", "empty", "sub/noise.bin"]).encode()
    for kind in ("newc", "crc", "odc", "bin"):
        maker.made(f"cpio-{kind}", maker.run("cpio", "-o", f"--format={kind}", cwd=maker.tree, input=names))


def make_by_bsdtar(maker):
    for kind in ("xar", "iso9660"):
        path = maker.work / f"bsdtar.{kind}"
        maker.run("bsdtar", "-cf", path, f"--format={kind}", ".", cwd=maker.tree)
        maker.made(f"bsdtar-{kind}", path, others=kind == "xar")


def make_by_others(maker):
    path = maker.work / "made"
    maker.run("ar", "rc", path.with_suffix(".a"), "text.txt", "sub/noise.bin", cwd=maker.tree)
    maker.made("ar", path.with_suffix(".a"))
    maker.run("arj", "a", "-r", "-y", path.with_suffix(".arj"), ".", cwd=maker.tree)
    maker.made("arj", path.with_suffix(".arj"))
    for name, words in (("cab", ["-z"]), ("cab-stored", [])):
        maker.run("gcab", "-c", *words, path.with_suffix(".cab"), "text.txt", "sub/noise.bin", cwd=maker.tree)
        maker.made(name, path.with_suffix(".cab"))


def make_packages(maker):
    root = maker.work / "package"
    (root / "DEBIAN").mkdir(parents=True)
    (root / "DEBIAN" / "control").write_text("Package: a\nVersion: 1\nArchitecture: all\nMaintainer: a <a@example.org>\nDescription: a\n")
    maker.run("dpkg-deb", "--root-owner-group", "--build", root, maker.work / "a.deb")
    # 7-Zip leaves out the first part, which is "2.0" in every package.
    parts = maker.run("ar", "t", "a.deb").decode().split()
    maker.made("deb", maker.work / "a.deb", [maker.run("ar", "p", "a.deb", part) for part in parts[1:]])
    specification = maker.work / "a.spec"
    specification.write_text(
        "Name: a\nVersion: 1\nRelease: 1\nSummary: a\nLicense: a\nBuildArch: noarch\n%define _binary_payload w0.ufdio\n%description\na\n"
        f"%install\nmkdir -p %{{buildroot}}/a\ncp {maker.tree}/text.txt %{{buildroot}}/a\n%files\n/a\n"
    )
    maker.run("rpmbuild", "-bb", "--define", f"_topdir {maker.work}/rpm", specification)
    (path,) = (maker.work / "rpm" / "RPMS").rglob("*.rpm")
    package = path.read_bytes()
    maker.made("rpm", package, [payload(package)])


def payload(package):
    """What stands behind the headers of an RPM: a cpio archive, which is not packed here."""
    return package[package.index(b"070701") :]


def make_installer(maker):
    script = maker.work / "a.nsi"
    for name, compressor in (("nsis", "zlib"), ("nsis-solid", "/SOLID lzma"), ("nsis-bzip2", "bzip2")):
        script.write_text(
            f'SetCompressor {compressor}\nName a\nOutFile a.exe\nInstallDir $TEMP\nSection\nSetOutPath $INSTDIR\nFile {maker.tree}/text.txt\nFile {maker.tree}/sub/noise.bin\nSectionEnd\n'
        )
        maker.run("makensis", "-V1", script)
        maker.made(name, maker.work / "a.exe")


def make_small(maker):
    """Of a few hundred bytes."""
    tree = maker.work / "small"
    tree.mkdir()
    members = [b"One small file.\n" * 3, b"Another, not much larger.\n" * 5]
    for name, data in zip(("one", "two"), members):
        (tree / name).write_bytes(data)
    for kind in ("7z", "zip", "wim", "tar"):
        path = maker.work / f"small.{kind}"
        maker.run("7z", "a", "-bd", "-y", f"-t{kind}", path, "one", "two", cwd=tree)
        maker.made(f"small-{kind}", path, members)
    for kind, words in (("cab", ["gcab", "-c"]), ("arj", ["arj", "a", "-y"])):
        path = maker.work / f"small.{kind}"
        maker.run(*words, path, "one", "two", cwd=tree)
        maker.made(f"small-{kind}", path, members)
    for kind in ("xz", "gzip", "bzip2", "zstd"):
        maker.made(f"small-{kind}", maker.run(kind, "-c", tree / "two"), members[1:])
