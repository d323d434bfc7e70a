"""A machine like Lambda's: Debian's kernel without Landlock, two processors, 3,008 MB, a read-only root without /dev/shm, /tmp on
ext4, user 993 with 1,024 descriptors and processes, the layer in /opt.

Emulated also where the machine could lend its processor: in a virtual machine, stock kernels stop early on it (seen with KVM in
Firecracker). Needs qemu-system, gcc for the architecture and mkfs.ext4; no root.
"""

import glob, gzip, os, platform, re, shutil, stat, subprocess, sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../clamav-layer"))
sys.dont_write_bytecode = True

from debian import Apt, run, suite_of_debian

MACHINES = {
    "x86_64": {"debian": "amd64", "image": "linux-image-cloud-amd64", "console": "ttyS0", 
               "qemu": ["qemu-system-x86_64", "-accel", "tcg", "-cpu", "Haswell"]},
    # Graviton 2's processor.
    "arm64": {"debian": "arm64", "image": "linux-image-cloud-arm64", "console": "ttyAMA0",
              "qemu": ["qemu-system-aarch64", "-M", "virt", "-cpu", "neoverse-n1"]},
}
# The Debian release that has each kernel.
KERNELS = {"5.10": "bullseye", "6.1": "bookworm"}
NEWEST = "6.1"
# In the order in which they are loaded.
MODULES = ["virtio_ring", "virtio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci", "virtio_blk",
           "failover", "net_failover", "virtio_net"]
# Character devices by name: mode, major, minor.
DEVICES = {"console": (0o600, 5, 1), "null": (0o666, 1, 3), "zero": (0o666, 1, 5), "full": (0o666, 1, 7),
           "random": (0o666, 1, 8), "urandom": (0o666, 1, 9)}
COMMANDS = ("sh", "mount", "insmod", "chown", "cat", "uname", "poweroff", "cut", "id", "touch", "ls", "mkdir", "rm", "mknod", "sed", "ip", "date", "sync", "killall")


def unpacked(arch, kernel, work):
    """Debian's kernel and busybox."""
    root, release = os.path.join(work, "packages"), KERNELS[kernel]
    sources = suite_of_debian(release, os.path.join(work, "sources.list"))
    if sources is None:
        sys.exit("this machine's package sources lack Debian, from which the kernel comes")
    apt = Apt(MACHINES[arch]["debian"], os.path.join(work, f"apt-{release}"), sources, release)
    apt.update()
    depends = subprocess.run(["apt-cache", *apt.options, "depends", MACHINES[arch]["image"]], capture_output=True, text=True, check=False).stdout
    image = re.search(r"Depends: (linux-image-\S+)", depends)
    if not image and kernel != NEWEST:
        print(f"Linux {kernel} has left Debian's archive: {NEWEST} is used", file=sys.stderr)
        return unpacked(arch, NEWEST, work)
    apt("-o", "APT::Sandbox::User=root", "download", image[1], "busybox-static", cwd=work)
    for package in glob.glob(os.path.join(work, "*.deb")):
        run("dpkg-deb", "-x", package, root)
    return root


def clamscan(arch, work):
    """The program that comes with the layer's ClamAV, and that the layer does without."""
    into = os.path.join(work, "clamscan")
    os.makedirs(into)
    apt = Apt(MACHINES[arch]["debian"], os.path.join(work, "apt-clamscan"))
    apt.update()
    apt("-o", "APT::Sandbox::User=root", "download", "clamav", cwd=into)
    run("dpkg-deb", "-x", glob.glob(os.path.join(into, "clamav_*.deb"))[0], into)
    return os.path.join(into, "usr/bin/clamscan")


def write(path, content, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)
    os.chmod(path, mode)


def fill(arch, layer, packages, root):
    """Puts into the machine's root directory what every machine has. It runs /given/work.sh."""
    at = lambda *parts: os.path.join(root, *parts)
    for name in ("proc", "tmp", "dev", "bin", "data"):
        os.makedirs(at(name))
    shutil.copytree(layer, at("opt"), symlinks=True)
    write(at("init"), open(os.path.join(HERE, "init.sh"), "rb").read(), 0o755)
    shutil.copy(glob.glob(os.path.join(packages, "**/bin/busybox"), recursive=True)[0], at("bin/busybox"))
    for name in COMMANDS:
        os.symlink("busybox", at("bin", name))
    compiler = "cc" if arch == native() else "aarch64-linux-gnu-gcc"
    run(compiler, "-static", "-O2", "-o", at("bin/inside"), os.path.join(HERE, "inside.c"))
    for number, name in enumerate(MODULES):
        found = glob.glob(os.path.join(packages, f"lib/modules/*/kernel/**/{name}.ko"), recursive=True)
        if found:
            os.makedirs(at("modules"), exist_ok=True)
            shutil.copy(found[0], at("modules", f"{number}.ko"))


def native():
    return platform.machine().replace("aarch64", "arm64")


def initramfs(root, path):
    """The directory as a cpio archive (newc), with the devices that only root could make here."""
    with gzip.open(path, "wb", compresslevel=1) as archive:
        number = 0

        def add(name, mode, content=b"", device=(0, 0)):
            nonlocal number
            number += 1
            encoded = name.encode() + b"\0"
            fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(encoded), 0)
            head = b"070701" + "".join(f"{field:08X}" for field in fields).encode() + encoded
            archive.write(head + b"\0" * (-len(head) % 4) + content + b"\0" * (-len(content) % 4))

        for directory, directories, files in os.walk(root):
            directories.sort()
            for name in [*directories, *sorted(files)]:
                full = os.path.join(directory, name)
                mode = os.lstat(full).st_mode
                content = b""
                if stat.S_ISLNK(mode):
                    content = os.readlink(full).encode()
                elif stat.S_ISREG(mode):
                    content = open(full, "rb").read()
                add(os.path.relpath(full, root), mode, content)
        for name, (mode, major, minor) in DEVICES.items():
            add(f"dev/{name}", stat.S_IFCHR | mode, device=(major, minor))
        add("TRAILER!!!", 0)


def command(arch, kernel, archive, disk, network=(), data=None):
    """The emulator's command. `/tmp` is on `disk`, which is made; `data` is a disk that can only be read."""
    with open(disk, "wb") as file:
        file.truncate(6 << 30) # a snapshot of a full-size set takes three while it is made
    run("mkfs.ext4", "-q", disk, env=os.environ | {"PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"})
    emulated = MACHINES[arch]
    return [*emulated["qemu"], "-smp", "2", "-m", "3008", "-kernel", kernel, "-initrd", archive, "-nographic", "-no-reboot",
            *(network or ("-nic", "none")), "-drive", f"file={disk},if=virtio,format=raw,cache=unsafe",
            *(["-drive", f"file={data},if=virtio,format=raw,readonly=on"] if data else []),
            "-append", f"console={emulated['console']} panic=-1 quiet lsm=capability"]
