"""A seeded generator, so that every random choice of a run can be repeated."""

from random import Random


def generator(seed: int, stream: str) -> Random:
    """
    Make an independent generator for one purpose.

    :param seed: of the whole run.
    :param stream: name of the purpose; different names give unrelated sequences.
    """
    return Random(f"{seed}/{stream}")
