"""File systems, and the disks that they are on."""


def make_file_systems(maker):
    for name, words in (("iso", ["-R", "-J"]), ("iso-udf", ["-udf"]), ("iso-plain", ["-iso-level", "4"])):
        path = maker.work / f"{name}.image"
        maker.run("genisoimage", "-quiet", *words, "-o", path, ".", cwd=maker.tree)
        # UDF is a second way to the same files.
        maker.made(name, path, (maker.text, maker.noise) * (2 if name == "iso-udf" else 1))
    for packer in ("gzip", "xz", "zstd", "lzo", "lz4", "lzma"):
        path = maker.work / f"{packer}.squashfs"
        maker.run("mksquashfs", maker.tree, path, "-comp", packer, "-quiet", "-no-progress", "-all-root")
        maker.made(f"squashfs-{packer}", path)
    maker.run("mkfs.cramfs", maker.tree, maker.work / "cramfs")
    maker.made("cramfs", maker.work / "cramfs")
    for kind in ("ext2", "ext4"):
        path = maker.work / kind
        maker.run("mke2fs", "-q", "-t", kind, "-d", maker.tree, path, "4M")
        maker.made(kind, path, others=True)


def make_fat(maker):
    for bits, size in ((12, "1440"), (16, "16384"), (32, "40960")):
        path = maker.work / f"fat{bits}"
        maker.run("mkfs.vfat", "-C", "-F", bits, path, size)
        maker.run("mcopy", "-s", "-i", path, maker.tree / "text.txt", maker.tree / "sub", "::")
        maker.made(f"fat{bits}", path)


def make_ntfs(maker):
    path = maker.work / "ntfs"
    with open(path, "wb") as image:
        image.truncate(4 << 20)
    maker.run("mkntfs", "-q", "-F", "-s", "512", path)
    maker.run("ntfscp", "-f", path, maker.tree / "text.txt", "text.txt")
    maker.run("ntfscp", "-f", path, maker.tree / "sub" / "noise.bin", "noise.bin")
    # A second stream of the first file.
    maker.run("ntfscp", "-f", "-N", "hidden", path, maker.tree / "sub" / "noise.bin", "text.txt")
    maker.made("ntfs", path, [maker.text, maker.noise, maker.noise], others=True)


def make_hfs(maker):
    path = maker.work / "hfs"
    with open(path, "wb") as image:
        image.truncate(2 << 20)
    maker.run("hformat", "-l", "a", path)
    maker.run("hmount", path)
    maker.run("hcopy", "-r", maker.tree / "text.txt", ":")
    maker.run("hcopy", "-r", maker.tree / "sub" / "noise.bin", ":")
    maker.run("humount")
    maker.made("hfs", path)


def make_disks(maker):
    """A partition with a file system; then the disk as virtual machines keep it."""
    partition = (maker.directory / "fat12" / "archive").read_bytes()
    disk = maker.work / "disk"
    for label, kind in (("dos", "mbr"), ("gpt", "gpt")):
        n_sectors = len(partition) // 512
        disk.write_bytes(bytes(2048 * 512) + partition + bytes(2048 * 512))
        maker.run("sfdisk", "-q", disk, input=f"label: {label}\nstart=2048, size={n_sectors}\n".encode())
        maker.made(kind, disk, [partition], others=True)
    raw = disk.read_bytes()
    for kind, options in (
        ("qcow2", []), ("qcow2-packed", ["-c"]), ("qcow", []), ("vdi", []), ("vmdk", []), ("vmdk-stream", ["-o", "subformat=streamOptimized"]),
        ("vpc", ["-o", "force_size=on"]), ("vpc-fixed", ["-o", "subformat=fixed,force_size=on"]), ("vhdx", []),
    ):
        path = maker.work / kind
        maker.run("qemu-img", "convert", "-f", "raw", "-O", kind.split("-")[0], *options, disk, path)
        # Some formats have room for whole blocks only.
        maker.run("qemu-img", "convert", "-f", kind.split("-")[0], "-O", "raw", path, maker.work / "back")
        # A fixed VHD is the disk itself, with a footer.
        maker.made(kind, path, [(maker.work / "back").read_bytes()], others=kind == "vpc-fixed")
    maker.run("img2simg", disk, maker.work / "sparse")
    maker.made("sparse", maker.work / "sparse", [raw])


def make_apple_partitions(maker):
    path = maker.work / "hybrid"
    maker.run("genisoimage", "-quiet", "-hfs", "-part", "-o", path, ".", cwd=maker.tree)
    maker.made("iso-apm", path, (maker.text, maker.noise), others=True)
