#!/usr/bin/env python3
"""Writes files that hide the EICAR test file from a scanner and not from an ordinary reader: generate.py DIRECTORY [--part small|all] [--family NAME]...

Each file is named FAMILY-VARIANT.EXTENSION; the same name has the same bytes in every run (`base` names exceptions). `small` takes variants of every family, evenly, but for those of `LARGE`.
"""

import argparse, importlib, os

import mutations

SMALL = 600
MUTATED = "mutated"
# Family: the module that makes it.
FAMILIES = {
    "7z": "sevenzip", "tar": "tars", "stream": "streams", "mail": "mail", "maillib": "mail_libraries", "mailbox": "mailboxes", "mailodd": "mail_at_random", "encoded": "encoded", "text": "texts", "rar": "rar", "lharc": "lharc", "lzop": "lzop", "warc": "warc", "package": "packages", "cabinet": "cabinets",
    "embedded": "embedded", "disk": "disks", "filesystem": "filesystems", "mac": "mac", "pdf": "pdf", "pdflib": "pdf_libraries", "pdfodd": "pdf_at_random", "pdfform": "pdf_forms", "pdfshown": "pdf_shown", "rtf": "rtf", "office": "office", "officelib": "office_libraries", "msgfile": "message_files", "node": "node_libraries", "java": "java_libraries",
    "tnef": "tnef", "signed": "signed", "markup": "markup",
    "free": "free_places", "media": "media", "container": "containers", "announced": "announced", "charset": "charsets", "rtfpage": "encapsulated", "ppt": "presentations", "hiddentext": "hidden_text", "unfinished": "unfinished",
}
# Those whose producers are too large or too slow for every machine: in `all` alone.
LARGE = {"lofficelib": "libreoffice_documents"}


def variants(family, cache={}):
    """Name, extension and bytes of each, in the family's order; names are unique and safe as file names."""
    if family in cache:
        return cache[family]
    made = mutations.variants({other: variants(other) for other in FAMILIES}) if family == MUTATED else importlib.import_module((FAMILIES | LARGE)[family]).variants()
    found = {}
    for name, extension, data in made:
        safe = "".join(character if character.isascii() and (character.isalnum() or character in "-+~") else "_" for character in name)
        if safe in found:
            raise SystemExit(f"two variants of {family} are named {safe}")
        found[safe] = (safe, extension, data)
    cache[family] = list(found.values())
    return cache[family]


def evenly(items, n):
    """N of them, the first one and the last one among them."""
    if len(items) <= n:
        return items
    return [items[index * (len(items) - 1) // (n - 1)] for index in range(n)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("directory")
    parser.add_argument("--part", choices=("small", "all"), default="all")
    parser.add_argument("--family", action="append", choices=[*FAMILIES, *LARGE, MUTATED])
    arguments = parser.parse_args()
    os.makedirs(arguments.directory, exist_ok=True)
    large = LARGE if arguments.part == "all" else ()
    for family in arguments.family or [*FAMILIES, *large, MUTATED]:
        found = variants(family)
        wanted = found if arguments.part == "all" else evenly(found, SMALL // (len(FAMILIES) + 1) + 1)
        for name, extension, data in wanted:
            with open(os.path.join(arguments.directory, f"{family}-{name}.{extension}"), "wb") as file:
                file.write(data)


if __name__ == "__main__":
    main()
