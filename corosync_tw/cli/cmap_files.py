"""
Files of settings for corosync-cmapctl -p.

A line is ``KEY TYPE VALUE`` to set, ``^KEY`` to delete, ``^^PREFIX`` to delete all that begin so;
``#`` begins a comment. Source: Corosync tools/corosync-cmapctl.c read_in_config_file.
"""

import itertools
from collections.abc import Iterator
from typing import Final, NamedTuple

from corosync_tw.cli.stock_run import complain, fail

# What stock's buffer holds; a longer line is read as several.
LINE_LEN_MAX: Final = 1023


class Setting(NamedTuple):
    """A key to set."""

    name: str
    kind: str
    text: str


class Deletion(NamedTuple):
    """A key to delete, or all keys that begin so."""

    name: str
    is_prefix: bool


def read_settings(path: str) -> Iterator[Setting | Deletion]:
    """
    Read a file; each step before the next line is looked at, so that a fault stops there.

    A file that cannot be opened is complained about, and has no steps.
    Raises: Ended, from the iterator.
    """
    try:
        file = open(path, encoding="utf-8", errors="surrogateescape", newline="\n")  # noqa: SIM115
    except OSError as fault:
        complain(f"Couldn't open file.: {fault.strerror}")
        return
    with file:
        for line in iter(lambda: file.readline(LINE_LEN_MAX), ""):
            text = line.lstrip(" \t")
            if text.strip("\n") and not text.startswith("#"):
                yield _step(text)


def _step(text: str) -> Setting | Deletion:
    words = [word for word in text.replace("\n", " ").split(" ") if word]
    name, kind, value = itertools.islice(itertools.chain(words, ["", "", ""]), 3)
    if name.startswith("^^"):
        return Deletion(name[2:], is_prefix=True)
    if name.startswith("^"):
        return Deletion(name[1:], is_prefix=False)
    if not kind or not value:
        fail(f"Both type and value for key {name} are required")
    return Setting(name, kind, value)
