"""
What may stand behind the colon: the kinds of values of corosync.conf, as strict as stock reads
them.

A kind turns text into a value or raises ValueError whose text says what is wrong and what would be
right. Where stock takes a misspelt word silently for the default, the kind is lenient: it raises
Misspelt, which the reader turns into a warning, so that a file stock accepts stays accepted.
Source: corosync 3.1.10 exec/coroparse.c (safe_atoq, str_to_ull, get_dscp_value), exec/logconfig.c.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

UINT8_MAX: Final = 0xFF
UINT16_MAX: Final = 0xFFFF
UINT32_MAX: Final = 0xFFFF_FFFF
UINT64_MAX: Final = 0xFFFF_FFFF_FFFF_FFFF

# strtoll, base 10, whole text: it skips white space in front and takes a sign.
_INTEGER: Final = re.compile(r"[\v\f\r\n\t ]*([+-]?[0-9]+)", re.ASCII)


class Misspelt(ValueError):
    """Not a word of this directive, but stock silently uses the default instead."""


@dataclass(frozen=True, slots=True)
class Kind:
    """
    One kind of value.

    :ivar name: for the manual: ``u32``, ``yes or no``.
    :ivar read: from text to value; raises ValueError.
    """

    name: str
    read: Callable[[str], object]


def integer(low: int, high: int, name: str) -> Kind:
    """Make the kind of a decimal integer from ``low`` to ``high``, both included."""

    def read(text: str) -> int:
        match = _INTEGER.fullmatch(text)
        # 20 digits hold every 64 bit number; longer texts would only cost time.
        if match is None or len(text) > 64 or not low <= int(match[1]) <= high:
            raise ValueError(
                f'expected to be integer in range ({low}..{high}), but "{text}" was given'
            )
        return int(match[1])

    return Kind(name, read)


UINT8: Final = integer(0, UINT8_MAX, "u8")
UINT16: Final = integer(0, UINT16_MAX, "u16")
UINT32: Final = integer(0, UINT32_MAX, "u32")
UINT64: Final = integer(0, UINT64_MAX, "u64")
INT32: Final = integer(-(2**31), 2**31 - 1, "i32")


def _listed(words: tuple[str, ...]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0]


def choice(*words: str) -> Kind:
    """Make the kind of one of some words; another word is a fault."""

    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f'"{text}" is unknown, should be {_listed(words)}')
        return text

    return Kind(_listed(words), read)


def choice_any_case(*words: str) -> Kind:
    """Make the kind of one of some words in capitals or not; the value is in small letters."""

    def read(text: str) -> str:
        if text.lower() not in words:
            raise ValueError(f'"{text}" is unknown, should be {_listed(words)}')
        return text.lower()

    return Kind(_listed(words), read)


def _flag(true: tuple[str, ...], false: tuple[str, ...], error: type[ValueError]) -> Kind:
    words = (*true, *false)

    def read(text: str) -> bool:
        if text not in words:
            raise error(f'"{text}" is unknown, should be {_listed(words)}')
        return text in true

    return Kind(_listed(words), read)


YES_NO: Final = _flag(("yes",), ("no",), ValueError)
YES_NO_LENIENT: Final = _flag(("yes",), ("no",), Misspelt)
ON_OFF: Final = _flag(("on",), ("off",), ValueError)
ON_OFF_LENIENT: Final = _flag(("on",), ("off",), Misspelt)
SWITCH: Final = _flag(("yes", "on"), ("no", "off"), ValueError)


def lenient(kind: Kind) -> Kind:
    """Make a fault of ``kind`` a warning: stock stores the text and does not look at it."""

    def read(text: str) -> object:
        try:
            return kind.read(text)
        except ValueError as error:
            raise Misspelt(str(error)) from None

    return Kind(kind.name, read)


TEXT: Final = Kind("text", str)

_DSCP_NAMES: Final = {
    **{f"cs{n}": 8 * n for n in range(8)},
    **{f"af{n}{drop}": 8 * n + 2 * drop for n in range(1, 5) for drop in range(1, 4)},
    "ef": 46,
}


def _read_dscp(text: str) -> int:
    if text in _DSCP_NAMES:
        return _DSCP_NAMES[text]
    value = -1
    if re.fullmatch(r"0[xX][0-9a-fA-F]{1,8}", text):
        value = int(text, 16)
    elif re.fullmatch(r"0[0-7]{0,8}", text):
        value = int(text, 8)
    elif re.fullmatch(r"[1-9][0-9]{0,8}", text):
        value = int(text)
    if not 0 <= value <= 63:
        raise ValueError(
            "expected to be number (0..63) or a DSCP name (cs0..cs7, af11..af43, ef), but "
            f'"{text}" was given'
        )
    return value


DSCP: Final = Kind("0..63 or cs0..cs7, af11..af43, ef", _read_dscp)


def _read_priority(text: str) -> str:
    if text in {"max", "min"}:
        return text
    INT32.read(text)
    return text


PRIORITY: Final = Kind("max, min or i32", _read_priority)


def _read_tie_breaker_nodes(text: str) -> tuple[str, ...]:
    words = tuple(text.split())
    if words in {("lowest",), ("highest",)}:
        return words
    if not words or not all(re.fullmatch(r"[0-9]{1,10}", word) for word in words):
        raise Misspelt(f'"{text}" is unknown, should be lowest, highest or a list of node ids')
    return words


TIE_BREAKER_NODES: Final = Kind("lowest, highest or node ids", _read_tie_breaker_nodes)

_SYSLOG_PRIORITIES: Final = (
    "alert", "crit", "debug", "emerg", "err", "error", "info", "notice", "warning",
)  # fmt: skip
SYSLOG_PRIORITY: Final = choice_any_case(*_SYSLOG_PRIORITIES)
SYSLOG_FACILITY: Final = choice(
    "auth", "authpriv", "cron", "daemon", "ftp", "kern", "lpr", "mail", "news", "syslog", "user",
    "uucp", *(f"local{n}" for n in range(8)),
)  # fmt: skip
