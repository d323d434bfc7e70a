"""apt with a state of its own, and the Debian release that the layer is made of."""

import os, subprocess, sys

RELEASE = "bookworm"
# The exit status when a locked version is no longer available.
SUPERSEDED = 3


def run(*command, text=True, **options):
    return subprocess.run(command, check=True, text=text, **options)


class Apt:
    """apt with a state of its own, for any architecture, as if nothing were installed."""

    def __init__(self, debian_arch, directory, sources=os.environ.get("APT_SOURCES"), release=f"/^{RELEASE}(|-security|-updates)$/"):
        self.directory = directory
        for name in ("lists/partial", "archives/partial"):
            os.makedirs(os.path.join(directory, name), exist_ok=True)
        status = os.path.join(directory, "status")
        open(status, "a").close()
        where = [f"Dir::Etc::SourceParts={sources}", "Dir::Etc::SourceList=/dev/null"] if sources and os.path.isdir(sources) else (
            [f"Dir::Etc::SourceList={sources}", "Dir::Etc::SourceParts=/dev/null"] if sources else [])
        options = [f"APT::Architecture={debian_arch}", f"APT::Architectures::={debian_arch}", f"Dir::State={directory}", f"Dir::State::status={status}",
                   f"Dir::Cache={directory}", f"APT::Default-Release={release}", *where]
        self.options = [word for option in options for word in ("-o", option)]

    def __call__(self, *words, **options):
        return run("apt-get", "-qq", *self.options, *words, **options)

    def update(self):
        # A source without this architecture, or one that does not answer, is no reason to stop: the download reports missing packages.
        subprocess.run(["apt-get", "-qq", *self.options, "update"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)

    def download(self, packages, into):
        """Where each of the packages, by name and version, now is."""
        os.makedirs(into)
        wanted = [f"{package['name']}={package['version']}" for package in packages]
        try:
            # `apt-get download` drops to another user where it can, who may not write here.
            self("-o", "APT::Sandbox::User=root", "download", *wanted, cwd=into, stderr=subprocess.PIPE)
        except subprocess.CalledProcessError as error:
            print(f"{error.stderr.strip()}\nThese packages must be in this machine's package sources: add Debian 12 ({RELEASE}) and its security "
                  "updates to them, or name a file of sources in APT_SOURCES. If a version was superseded there, run `make layer-update`.", file=sys.stderr)
            sys.exit(SUPERSEDED)
        found = {file.split("_")[0]: os.path.join(into, file) for file in os.listdir(into)}
        return [found[package["name"]] for package in packages]
