"""Debian's own Rust compiler with its standard library for arm64, unpacked beside the machine's, which it need not be installed for.

It is newer than the machine's, in Rust and in the C library, so it brings its loader. Used where the standard library cannot be built for
the machine's own compiler.
"""

import glob, os, re, shutil, subprocess, tempfile

from debian import Apt, run, suite_of_debian

SUITES = ("trixie", "trixie-backports")
# Compilers and their standard libraries. The first is kept recent in a stable release, for Firefox.
COMPILERS = (("rustc-web", "libstd-rust-web-dev"), ("rustc", "libstd-rust-dev"))
# The workspace's `rust-version`.
OLDEST = (1, 95)
TARGETS = ("x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu")
LIBRARIES = "usr/lib/x86_64-linux-gnu"
# What is kept of the packages: the compiler needs a C compiler, which the machine has.
KEPT = ("usr/bin/rustc", LIBRARIES, *(f"usr/lib/rustlib/{target}" for target in TARGETS))


class DebianRustError(Exception):
    """Debian's packages cannot be had from this machine's sources; the message says why."""


def compiler(directory):
    """The path of the compiler, which is unpacked into `directory` once. It builds for x86_64 and arm64."""
    path = os.path.join(directory, "rustc")
    if not os.path.exists(path):
        os.makedirs(os.path.dirname(directory), exist_ok=True)
        with tempfile.TemporaryDirectory(dir=os.path.dirname(directory)) as work:
            unpacked = os.path.join(work, "packages")
            for package in downloaded(work):
                run("dpkg-deb", "-x", package, unpacked)
            finished = os.path.join(work, "finished")
            for kept in KEPT:
                os.makedirs(os.path.dirname(os.path.join(finished, kept)), exist_ok=True)
                os.rename(os.path.join(unpacked, kept), os.path.join(finished, kept))
            write_wrapper(os.path.join(finished, "rustc"), directory)
            shutil.rmtree(directory, ignore_errors=True)
            os.rename(finished, directory)
    return path


def downloaded(work):
    """The packages of a compiler and all that it depends on, and of the same version's standard library for arm64."""
    apt = apt_of_both(work)
    for name, library in COMPILERS:
        version = newest_of_both(apt, library)
        if version is None:
            continue
        into = os.path.join(work, "arm64")
        os.makedirs(into)
        try:
            apt("install", "--yes", "--download-only", "--no-install-recommends", f"{name}={version}", f"{library}={version}", stderr=subprocess.PIPE)
            apt("download", f"{library}:arm64={version}", cwd=into, stderr=subprocess.PIPE)
        except subprocess.CalledProcessError as error:
            raise DebianRustError(f"Debian's Rust cannot be downloaded: {error.stderr.strip()}")
        return glob.glob(os.path.join(work, "apt/archives/*.deb")) + glob.glob(os.path.join(into, "*.deb"))
    raise DebianRustError(f"Debian has no Rust for both architectures that is recent enough, in {', '.join(SUITES)}")


def apt_of_both(work):
    """apt for both architectures and all suites."""
    sources = os.path.join(work, "sources.list")
    with open(sources, "w") as file:
        for suite in SUITES:
            listed = suite_of_debian(suite, os.path.join(work, f"{suite}.list"))
            if listed is None:
                raise DebianRustError("this machine's package sources lack Debian")
            with open(listed) as one:
                file.write(one.read())
    apt = Apt("amd64", os.path.join(work, "apt"), sources, SUITES[0])
    apt.options += ["-o", "APT::Architectures::=arm64", "-o", "APT::Sandbox::User=root"]
    apt.update()
    return apt


def newest_of_both(apt, library):
    """The newest version of a standard library that is there for both architectures, or None. Of backports, one architecture may be ahead."""
    here, there = (
        re.findall(r"\| *(\S+) *\|", subprocess.run(["apt-cache", *apt.options, "madison", package], capture_output=True, text=True, check=False).stdout)
        for package in (library, f"{library}:arm64"))
    recent = [version for version in here if version in there and tuple(map(int, version.split(".")[:2])) >= OLDEST]
    return recent[0] if recent else None


def write_wrapper(path, directory):
    """A program that starts the compiler with its own loader and libraries, and tells it where its standard libraries are."""
    at = lambda *parts: os.path.join(directory, *parts)
    loader = at(LIBRARIES, "ld-linux-x86-64.so.2")
    with open(path, "w") as file:
        file.write(f'#!/bin/sh\nexec "{loader}" --library-path "{at(LIBRARIES)}" "{at("usr/bin/rustc")}" "$@" --sysroot "{at("usr")}"\n')
    os.chmod(path, 0o755)
