"""apt with a state of its own, and the Debian release that the layer is made of."""

import os, subprocess, sys

RELEASE = "bookworm"
# The exit status when a locked version is no longer available.
SUPERSEDED = 3


def run(*command, text=True, **options):
    return subprocess.run(command, check=True, text=text, **options)


def from_sources(sources):
    """apt's options for a file or a directory of sources; none means the machine's own."""
    if not sources:
        return []
    listed, parts = ("/dev/null", sources) if os.path.isdir(sources) else (sources, "/dev/null")
    return ["-o", f"Dir::Etc::SourceList={listed}", "-o", f"Dir::Etc::SourceParts={parts}"]


def suite_of_debian(suite, path):
    """Writes a file of apt sources for one suite, from where Debian's packages come from here. Returns its path, or None if the sources
    lack Debian."""
    listed = run("apt-get", *from_sources(os.environ.get("APT_SOURCES")), "indextargets", "--format", "$(REPO_URI) $(LABEL)", "Created-By: Packages",
                 capture_output=True).stdout
    # Where a file of sources is named, its lists, which contain the label, may never have been downloaded.
    label = "" if os.environ.get("APT_SOURCES") else " Debian"
    sites = [line.split()[0] for line in listed.splitlines() if line.strip() and line.endswith(label) and "security" not in line]
    if not sites:
        return None
    with open(path, "w") as file:
        file.write(f"deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] {sites[0]} {suite} main\n")
    return path


class Apt:
    """apt with a state of its own, for any architecture, as if nothing were installed."""

    def __init__(self, debian_arch, directory, sources=os.environ.get("APT_SOURCES"), release=f"/^{RELEASE}(|-security|-updates)$/"):
        self.directory = directory
        for name in ("lists/partial", "archives/partial"):
            os.makedirs(os.path.join(directory, name), exist_ok=True)
        status = os.path.join(directory, "status")
        open(status, "a").close()
        options = [f"APT::Architecture={debian_arch}", f"APT::Architectures::={debian_arch}", f"Dir::State={directory}", f"Dir::State::status={status}",
                   f"Dir::Cache={directory}", f"APT::Default-Release={release}"]
        self.options = [*(word for option in options for word in ("-o", option)), *from_sources(sources)]

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
