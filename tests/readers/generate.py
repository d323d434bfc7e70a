#!/usr/bin/env python3
"""Writes files that hide the EICAR test file from a scanner and not from an ordinary reader: generate.py DIRECTORY [--part small|all] [--family NAME]...

Each file is named FAMILY-VARIANT.EXTENSION; the same name has the same bytes in every run. `small` takes variants of every family, evenly.
"""

import argparse, importlib, os

SMALL = 600
FAMILIES = {
    "7z": "sevenzip", "tar": "tars", "stream": "streams", "mail": "mail", "encoded": "encoded", "rar": "rar", "lharc": "lharc",
}


def variants(family):
    """Name and bytes of each, in the family's order; names are unique and safe as file names."""
    names = set()
    for name, extension, data in importlib.import_module(FAMILIES[family]).variants():
        safe = "".join(character if character.isascii() and (character.isalnum() or character in "-+~") else "_" for character in name)
        full = f"{family}-{safe}.{extension}"
        if full in names:
            raise SystemExit(f"two variants are named {full}")
        names.add(full)
        yield full, data


def evenly(items, n):
    """N of them, the first one and the last one among them."""
    if len(items) <= n:
        return items
    return [items[index * (len(items) - 1) // (n - 1)] for index in range(n)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("directory")
    parser.add_argument("--part", choices=("small", "all"), default="all")
    parser.add_argument("--family", action="append", choices=sorted(FAMILIES))
    arguments = parser.parse_args()
    os.makedirs(arguments.directory, exist_ok=True)
    for family in arguments.family or FAMILIES:
        found = list(variants(family))
        wanted = found if arguments.part == "all" else evenly(found, SMALL // len(FAMILIES))
        for name, data in wanted:
            with open(os.path.join(arguments.directory, name), "wb") as file:
                file.write(data)


if __name__ == "__main__":
    main()
