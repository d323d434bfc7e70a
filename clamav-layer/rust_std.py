#!/usr/bin/env python3
"""Provides Rust for arm64 on a machine whose Rust has a standard library for its own architecture only.

    rust_std.py     print what a shell must export for a build for arm64; nothing where Rust needs nothing

Where rustup has installed the standard library, or this machine is of arm64, nothing is needed. Elsewhere it is built from
Debian's package `rust-src` of the compiler's own version, once, in target/rust-std (a minute). Where Debian has that no
longer, or with RUST_FOR_ARM64=debian, Debian's own compiler is unpacked there instead, which builds for arm64. No root.
"""

import fcntl, glob, os, platform, re, shlex, shutil, subprocess, sys, tempfile

from debian import Apt, run, suite_of_debian
from debian_rust import DebianRustError, compiler

HERE = os.path.dirname(os.path.abspath(__file__))
TARGET = "aarch64-unknown-linux-gnu"
SUITE = "trixie-backports"
CACHE = os.path.abspath(os.path.join(HERE, "../target/rust-std"))
# A library is never linked: no linker for arm64 is needed yet.
MANIFEST = '[package]\nname = "nothing"\nversion = "0.1.0"\nedition = "2024"\n[workspace]\n'


class StdError(Exception):
    """The standard library for arm64 can neither be found nor built; the message says what to do."""


def output(*command, **options):
    return run(*command, capture_output=True, **options).stdout


def libraries(sysroot):
    return os.path.join(sysroot, "lib/rustlib", TARGET, "lib")


def is_installed():
    """Whether the compiler itself has the library, which rustup installs."""
    return platform.machine() == "aarch64" or bool(glob.glob(os.path.join(libraries(output("rustc", "--print", "sysroot").strip()), "libstd-*.rlib")))


def rust_for_arm64():
    """The compiler's flags for arm64, and the variables for Cargo. StdError if there are none with which it could build."""
    if is_installed():
        return [], {}
    version = output("rustc", "-vV")
    release, commit = (re.search(rf"^{key}: (\S+)", version, re.MULTILINE)[1] for key in ("release", "commit-hash"))
    os.makedirs(CACHE, exist_ok=True)
    # The compiler reads only what the very same compiler wrote.
    sysroot = os.path.join(CACHE, f"{release}-{commit[:9]}")
    with open(os.path.join(CACHE, "lock"), "w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        try:
            if os.environ.get("RUST_FOR_ARM64") == "debian":
                raise StdError("RUST_FOR_ARM64 asks for Debian's compiler.")
            if not os.path.exists(sysroot):
                build(release, sysroot)
            return ["--sysroot", sysroot], {}
        except StdError as error:
            print(f"{error} Debian's own compiler is used.", file=sys.stderr)
            try:
                return [], {"RUSTC": compiler(os.path.join(CACHE, "debian"))}
            except DebianRustError as without:
                raise StdError(f"{error} Nor does Debian's own compiler help: {without}. {advice()}")


def build(release, sysroot):
    print(f"building Rust's standard library {release} for arm64, once ...", file=sys.stderr)
    with tempfile.TemporaryDirectory(dir=os.path.dirname(sysroot)) as work:
        built, crate = os.path.join(work, "target"), os.path.join(work, "crate")
        os.makedirs(os.path.join(crate, "src"))
        with open(os.path.join(crate, "Cargo.toml"), "w") as file:
            file.write(MANIFEST)
        open(os.path.join(crate, "src/lib.rs"), "w").close()
        # The first lets a stable compiler build its own standard library; the second names the source, which
        # Cargo would otherwise look for in a toolchain's directory. Bitcode is for the functions' `lto`.
        environment = os.environ | {"RUSTC_BOOTSTRAP": "1", "__CARGO_TESTS_ONLY_SRC_ROOT": source(release, work), "CARGO_TARGET_DIR": built,
                                    "RUSTFLAGS": "-Cembed-bitcode=yes", "RUSTC_WRAPPER": wrapper(work)}
        try:
            run("cargo", "build", "--quiet", "--release", "-Zbuild-std=std,panic_unwind", "--target", TARGET, cwd=crate, env=environment)
        except subprocess.CalledProcessError:
            raise StdError(f"Rust's standard library {release} could not be built for arm64.")
        finished = os.path.join(work, "sysroot")
        os.makedirs(libraries(finished))
        for path in glob.glob(os.path.join(built, TARGET, "release/deps/*.rlib")):
            if not os.path.basename(path).startswith("libnothing-"):
                shutil.copy(path, libraries(finished))
        os.rename(finished, sysroot)


def wrapper(work):
    """A program around rustc that gives one crate the strategy that its name promises, as Rust's own build does: a C library, which a crate may
    also be built as, is refused without it."""
    path = os.path.join(work, "rustc")
    with open(path, "w") as file:
        file.write('#!/bin/sh\ncase " $* " in *" --crate-name panic_abort "*) exec "$@" -Cpanic=abort ;; esac\nexec "$@"\n')
    os.chmod(path, 0o755)
    return path


def source(release, work):
    """The standard library's source of the compiler's own release, from Debian's package."""
    sources = suite_of_debian(SUITE, os.path.join(work, "sources.list"))
    if sources is None:
        raise StdError(f"This machine's package sources lack Debian, from which `rust-src` comes.")
    apt = Apt("amd64", os.path.join(work, "apt"), sources, SUITE)
    apt.update()
    try:
        apt("-o", "APT::Sandbox::User=root", "download", f"rust-src={release}+*", cwd=work, stderr=subprocess.PIPE)
    except subprocess.CalledProcessError:
        offered = re.findall(r"\| *(\d+\.\d+\.\d+)", subprocess.run(
            ["apt-cache", *apt.options, "madison", "rust-src"], capture_output=True, text=True, check=False).stdout)
        what = f"has Rust's source of {', '.join(offered)} only" if offered else "does not answer"
        raise StdError(f"Rust {release} needs its source to build for arm64, and Debian's {SUITE} {what}.")
    run("dpkg-deb", "-x", glob.glob(os.path.join(work, "rust-src_*.deb"))[0], os.path.join(work, "source"))
    return glob.glob(os.path.join(work, "source/usr/src/rustc-*/library"))[0]


def advice():
    return f"Install it with `rustup target add {TARGET}`."


def main():
    try:
        flags, variables = rust_for_arm64()
    except StdError as error:
        sys.exit(str(error))
    if flags:
        variables["RUSTFLAGS"] = " ".join(flags)
    for name, value in variables.items():
        print(f"export {name}={shlex.quote(value)}")


if __name__ == "__main__":
    main()
