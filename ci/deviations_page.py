"""
Write man/corosync_tw_deviations.7 from docs/deviations.rst, which people edit.

A page of the manual is no document of reST: headings become sections, a definition an item, a
literal a literal. setup.py calls this whenever the package is built or installed.
"""

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
SOURCE: Final = ROOT / "docs" / "deviations.rst"
PAGE: Final = ROOT / "man" / "corosync_tw_deviations.7"
WIDTH: Final = 80

_HEAD: Final = """\
.\\" Made of docs/deviations.rst by ci/deviations_page.py.
.Dd November 23, 2026
.Dt COROSYNC_TW_DEVIATIONS 7
.Os
.Sh NAME
.Nm corosync_tw_deviations
.Nd where corosync_tw does otherwise than Corosync
.Sh DESCRIPTION
"""
_TAIL: Final = """\
.Sh SEE ALSO
.Xr corosync.conf 5 ,
.Xr corosync_tw_cmap_keys 7 ,
.Xr corosync_tw_overview 7 ,
.Xr corosync_tw 8
"""
_SENTENCE: Final = re.compile(r"(?<=[.:;])\s+(?=[A-Z])")
# What stands before a literal, the literal, and what is attached to it.
_LITERAL: Final = re.compile(r"([(\[]?)``(.+?)``([^\s]*)\s*")
_DELIMITERS: Final = re.compile(r"[).,:;?!\]]")


def page(source: str) -> str:
    """Write the page of a text."""
    _, _, body = source.partition("\n\n")
    return _HEAD + "\n".join(_blocks(body)) + "\n" + _TAIL


def _blocks(body: str) -> Iterator[str]:
    in_list = False
    first = True
    for block in re.split(r"\n\s*\n", body.strip()):
        lines = block.split("\n")
        title = len(lines) == 2 and set(lines[1]) == {"-"}
        items = any(line.startswith("    ") for line in lines)
        if in_list and not items:
            yield ".El"
            in_list = False
        if title:
            yield f".Sh {lines[0].upper()}"
        elif items:
            if not in_list:
                yield ".Bl -tag -width Ds"
                in_list = True
            yield from _items(lines)
        else:
            if not first:
                yield ".Pp"
            yield from _text(" ".join(lines))
        first = title
    if in_list:
        yield ".El"


def _items(lines: list[str]) -> Iterator[str]:
    text: list[str] = []
    for line in lines:
        if line.startswith("    "):
            text.append(line.strip())
            continue
        yield from _text(" ".join(text))
        text = []
        names = line.replace("``", "").split(", ")
        yield ".It Pa " + " , ".join(names) if line.startswith("``") else f".It {line}"
    yield from _text(" ".join(text))


def _text(text: str) -> Iterator[str]:
    at = 0
    for match in _LITERAL.finditer(text):
        yield from _prose(text[at : match.start()])
        before, literal, behind = match.groups()
        words = [before, *map(_argument, literal.split())]
        while behind and _DELIMITERS.match(behind):
            words.append(behind[0])
            behind = behind[1:]
        if behind:
            words += ["Ns", _argument(behind)]
        yield " ".join([".Li", *filter(None, words)])
        at = match.end()
    yield from _prose(text[at:])


def _prose(text: str) -> Iterator[str]:
    for sentence in _SENTENCE.split(text.strip()):
        for line in textwrap.wrap(sentence, WIDTH, break_long_words=False, break_on_hyphens=False):
            escaped = line.replace("\\", "\\e")
            yield f"\\&{escaped}" if escaped[0] in ".'" else escaped


def _argument(word: str) -> str:
    """Keep a word of a macro's line from being taken for a macro or a delimiter."""
    word = word.replace("\\", "\\e").replace('"', "\\(dq")
    return f"\\&{word}" if re.fullmatch(r"[A-Z][a-z]|[().,:;?!\[\]|]", word) else word


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(SOURCE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
