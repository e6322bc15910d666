"""
Messages as libqb stores them: a format of printf, NUL, and its arguments one behind the other.

Decoding is total: what the bytes do not hold is shown as ``?``, and no text is longer than
``TEXT_LEN_CHARS_MAX``.

Source: libqb 2.0.6 lib/log_format.c, qb_vsnprintf_serialize.
"""

import re
import struct
from typing import Final

TEXT_LEN_CHARS_MAX: Final = 4096
# Widest field of a number; corrupt widths would make giants of it.
_FIELD_LEN_CHARS_MAX: Final = 256
_SPEC: Final = re.compile(
    r"%(?P<flags>[-#0 +'I]*)(?P<width>\*|[0-9]*)(?:\.(?P<precision>\*|[0-9]*))?"
    r"(?P<length>hh|h|ll|l|z|t|j)?(?P<kind>[diouxXeEfFgGaAcsp%])"
)
_UNKNOWN: Final = "?"
_INTEGERS: Final = {4: "i", 8: "q"}
_UNSIGNED: Final = {4: "I", 8: "Q"}


class _Short(Exception):
    """An argument lies outside of the stored bytes."""


class _Arguments:
    """The stored arguments, taken in order."""

    def __init__(self, stored: bytes, byte_order: str) -> None:
        self._stored = stored
        self._byte_order = byte_order
        self._at = 0

    def number(self, code: str) -> int | float:
        """Take a number of a type of ``struct``. Raises: _Short."""
        layout = struct.Struct(self._byte_order + code)
        try:
            (value,) = layout.unpack_from(self._stored, self._at)
        except struct.error as error:
            raise _Short from error
        self._at += layout.size
        result: int | float = value
        return result

    def string(self) -> str:
        """Take bytes up to a NUL. Raises: _Short when nothing is left."""
        if self._at >= len(self._stored):
            raise _Short
        end = self._stored.find(b"\0", self._at)
        end = len(self._stored) if end < 0 else end
        text = self._stored[self._at : end].decode("utf-8", "backslashreplace")
        self._at = end + 1
        return text


def expand(message: bytes, byte_order: str, long_len_bytes: int) -> str:
    """
    Return the text of a stored message, without the line ends behind it.

    :param byte_order: ``<`` or ``>``.
    :param long_len_bytes: of a C long where the message was stored, 4 or 8.
    """
    format_bytes, _, stored = message.partition(b"\0")
    text_format = format_bytes.decode("utf-8", "backslashreplace")
    arguments = _Arguments(stored, byte_order)

    def replacement(found: re.Match[str]) -> str:
        try:
            return _one(found, arguments, long_len_bytes)
        except (_Short, OverflowError, ValueError):
            return _UNKNOWN

    return _SPEC.sub(replacement, text_format)[:TEXT_LEN_CHARS_MAX].rstrip("\n\0")


def _one(found: re.Match[str], arguments: _Arguments, long_len_bytes: int) -> str:
    kind = found["kind"]
    if kind == "%":
        arguments.number("B")
        return "%"
    flags = found["flags"].replace("'", "").replace("I", "")
    width = _field(found["width"], arguments)
    precision = None if found["precision"] is None else _field(found["precision"], arguments)
    if width < 0:
        flags, width = flags + "-", -width
    field = f"%{flags}{min(width, _FIELD_LEN_CHARS_MAX) or ''}"
    if precision is not None and precision >= 0:
        field += f".{min(precision, _FIELD_LEN_CHARS_MAX)}"
    if kind == "s":
        return f"{field}s" % arguments.string()
    if kind == "c":
        return f"{field}s" % chr(int(arguments.number("B")))
    if kind in "eEfFgGaA":
        value = float(arguments.number("d"))
        return value.hex() if kind in "aA" else f"{field}{kind}" % value
    if kind == "p":
        address = int(arguments.number(_UNSIGNED[long_len_bytes]))
        return f"{address:#x}" if address else "(nil)"
    len_bytes = _integer_len_bytes(found["length"] or "", long_len_bytes)
    codes = _INTEGERS if kind in "di" else _UNSIGNED
    value = int(arguments.number(codes[len_bytes]))
    if kind == "o":
        field = field.replace("#", "")
    return f"{field}{'d' if kind in 'diu' else kind}" % value


def _field(text: str, arguments: _Arguments) -> int:
    """Return a width or a precision, which may be an argument itself. Raises: _Short."""
    if text == "*":
        return int(arguments.number("i"))
    return int(text[:6]) if text else 0


def _integer_len_bytes(length: str, long_len_bytes: int) -> int:
    """Return how many bytes libqb stores for a length modifier; short ones are promoted."""
    if length in {"ll", "j"}:
        return 8
    if length in {"l", "z", "t"}:
        return long_len_bytes
    return 4
