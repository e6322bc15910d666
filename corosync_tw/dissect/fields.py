"""
How a format is described, once for our decoder and for the one that Wireshark runs.

A layout is a row of parts, read one after the other: fields, lists whose length an earlier field
gives, chunks whose lengths an earlier list gives. ``then`` says what the bytes behind them are.
Widths and order of fields come from the codecs that the daemon itself uses, see ``fields_of``.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum
from struct import Struct, calcsize
from typing import Final

_CODES: Final = re.compile(r"(\d*)([a-zA-Z?])")
_BYTES: Final = "s"
_PAD: Final = "x"
# What is behind a layout's parts when nobody knows more of it.
DATA: Final = "data"


class Order(Enum):
    """Byte order of a layout."""

    OUTER = "outer"  # that of the layout around it
    LITTLE = "little"
    BIG = "big"
    MAGIC = "magic"  # the first two bytes are TOTEM_MAGIC, in one order or the other


@dataclass(frozen=True, slots=True)
class Field:
    """
    One number, or bytes.

    :ivar name: empty for bytes that mean nothing.
    :ivar code: of the module struct: a letter, or ``16s`` for bytes.
    :ivar names: of its values.
    :ivar hexadecimal: how it is shown; bytes are text otherwise.
    :ivar bits_of: a bitmap over so many nodes as this field of the layout says; ``code`` is of no
        interest then.
    """

    name: str
    code: str
    names: Mapping[int, str] = field(default_factory=dict, hash=False)
    hexadecimal: bool = False
    bits_of: str = ""

    @property
    def len_bytes(self) -> int:
        """Its length, unless it is a bitmap."""
        return calcsize(f"<{self.code}")


@dataclass(frozen=True, slots=True)
class Fixed:
    """Fields that are always there."""

    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Repeated:
    """
    A list.

    :ivar count: the field of this layout that says how long it is.
    """

    name: str
    fields: tuple[Field, ...]
    count: str


@dataclass(frozen=True, slots=True)
class Chunks:
    """
    Pieces of different lengths, without a gap.

    :ivar lengths: the list of this layout that says how long each is.
    :ivar layout: of each; empty for text.
    :ivar headless: the field of this layout that is not 0 when the first one is only the end of
        something, and so has no layout.
    :ivar endless: the field of this layout that is not 0 when the last one is only the beginning of
        something, and so may end anywhere.
    """

    name: str
    lengths: str
    layout: str = ""
    headless: str = ""
    endless: str = ""


@dataclass(frozen=True)
class Choice:
    """
    What comes next, by the value of a field of this layout.

    The layouts around this one are asked when it has no such field; of a list its first text
    counts.

    :ivar cases: the name of a layout, or another choice.
    """

    field: str
    cases: "Cases"
    otherwise: str = DATA


Part = Fixed | Repeated | Chunks
Cases = Mapping[int, str | Choice] | Mapping[str, str | Choice]


@dataclass(frozen=True, slots=True)
class Layout:
    """
    One format.

    :ivar title: for people.
    :ivar then: what the bytes behind the parts are; empty: there are none.
    :ivar summary: fields that are worth a place on the one line of a frame.
    """

    name: str
    title: str
    parts: tuple[Part, ...]
    order: Order = Order.OUTER
    then: str | Choice = ""
    summary: tuple[str, ...] = ()


def fields_of(
    codec: Struct,
    names: str,
    *,
    behind: Struct | None = None,
    meanings: Mapping[str, Mapping[int, str]] | None = None,
    hexadecimal: Collection[str] = (),
) -> tuple[Field, ...]:
    """
    Name the fields of a codec; a dash is a field that means nothing.

    :param behind: the codec of what is in front, which is left out.
    :param meanings: of values, by field.
    """
    meanings = meanings or {}
    front = _codes(behind) if behind else []
    codes = _codes(codec)
    # A codec that never reads a field may care less for its sign.
    assert "".join(codes[: len(front)]).lower() == "".join(front).lower(), "not the front of it"
    words = iter(names.split())
    made = []
    for code in codes[len(front) :]:
        name = "" if code.endswith(_PAD) else next(words)
        name = "" if name == "-" else name
        if not name and not code.endswith(_PAD):
            code = f"{calcsize('<' + code)}{_PAD}"  # noqa: PLW2901
        made.append(Field(name, code, meanings.get(name, {}), name in hexadecimal))
    assert next(words, None) is None, f"more names than fields: {names}"
    return tuple(made)


def _codes(codec: Struct) -> list[str]:
    """Split a codec's format into fields."""
    codes: list[str] = []
    for count, letter in _CODES.findall(codec.format):
        together = letter in {_BYTES, _PAD}
        codes += [f"{count}{letter}"] if together else [letter] * int(count or 1)
    return codes
