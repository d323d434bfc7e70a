"""Seeded changes to a few files of every family: headers, lengths, cuts, insertions. What spoils the test file proves nothing, so there are many."""

import random

from base import mutated

N_SEEDS, N_CHANGES = 12, 10
# It runs the archive that it unpacks: a changed one could do anything.
NEVER = ("shar",)


def variants(families):
    """FAMILIES: for each, its variants; changes are the same in every run, whatever other families there are."""
    for family, found in families.items():
        seeds = [variant for variant in found if 60 <= len(variant[2]) < 100_000 and not variant[0].startswith(NEVER)]
        rng = random.Random(family)
        for name, extension, data in rng.sample(seeds, min(N_SEEDS, len(seeds))):
            for index in range(N_CHANGES):
                yield f"{family}-{name}-{index}", extension, mutated(data, rng)
