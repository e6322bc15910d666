"""
Values of keys as corosync-cmapctl prints and reads them.

Source: Corosync tools/corosync-cmapctl.c print_key, set_key, set_key_bin.
"""

import base64
import math
import re
import sys
from dataclasses import dataclass
from typing import Any, Final

from corosync_tw.cli.stock_run import fail
from corosync_tw.printable import escaped
from corosync_tw.services.cmap.values import TypedValue
from corosync_tw.services.cmap.wire import ValueType

NAMES: Final = {
    ValueType.INT8: "i8",
    ValueType.UINT8: "u8",
    ValueType.INT16: "i16",
    ValueType.UINT16: "u16",
    ValueType.INT32: "i32",
    ValueType.UINT32: "u32",
    ValueType.INT64: "i64",
    ValueType.UINT64: "u64",
    ValueType.FLOAT: "flt",
    ValueType.DOUBLE: "dbl",
    ValueType.STRING: "str",
    ValueType.BINARY: "bin",
}
_KINDS: Final = {name: kind for kind, name in NAMES.items()}
_BITS: Final = {"8": 8, "16": 16, "32": 32, "64": 64}
# As far as scanf reads; what follows is ignored.
_WHOLE: Final = re.compile(r"\s*([+-]?)(\d+)", re.ASCII)
_REAL: Final = re.compile(
    r"\s*([+-]?(?:0x[0-9a-f]*\.?[0-9a-f]+(?:p[+-]?\d+)?|infinity|inf|nan"
    r"|(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?))",
    re.ASCII | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Style:
    """
    How keys are printed.

    :ivar binary: show what binary values hold.
    :ivar quiet: show values alone.
    """

    binary: bool = False
    quiet: bool = False
    as_json: bool = False

    def text(self, name: str, value: TypedValue) -> str:
        """Lay a key out on one line, as stock does, which also forgets to be quiet on binaries."""
        kind = NAMES[value.kind]
        if isinstance(value.value, bytes):
            shown = f" = {escaped(value.value)}" if self.binary else ""
            head = "" if self.quiet else f"{name} ("
            return f"{head}{kind}){shown}"
        shown = f"{value.value:f}" if isinstance(value.value, float) else str(value.value)
        return shown if self.quiet else f"{name} ({kind}) = {shown}"

    def document(self, name: str, value: TypedValue) -> dict[str, Any]:
        """Describe a key for JSON; binaries in base64 when they are to be shown, else null."""
        shown: Any = value.value
        if isinstance(shown, bytes):
            shown = base64.b64encode(shown).decode() if self.binary else None
        elif isinstance(shown, float) and not math.isfinite(shown):
            shown = str(shown)
        return {"key": name, "type": NAMES[value.kind], "value": shown}


def parse_value(kind_name: str, text: str) -> TypedValue:
    """
    Read a value of this type; of ``bin``, ``text`` is the file that holds it, or - for stdin.

    Raises: Ended.
    """
    kind = _KINDS.get(kind_name)
    if kind is None:
        fail(f"Unknown type {kind_name}")
    if kind is ValueType.STRING:
        return TypedValue(kind, text)
    if kind is ValueType.BINARY:
        return TypedValue(kind, _file(text))
    if kind in {ValueType.FLOAT, ValueType.DOUBLE}:
        return TypedValue(kind, _real(kind_name, text))
    return TypedValue(kind, _whole(kind_name, text))


def _whole(kind_name: str, text: str) -> int:
    match = _WHOLE.match(text)
    if match is None:
        fail(f"{text} is not valid {kind_name} type value")
    sign, digits = match.groups()
    number = int(digits)
    bits = _BITS[kind_name[1:]]
    if kind_name[0] == "u":
        # scanf holds a number within 64 bits, and negates it there.
        number = min(number, 2**64 - 1)
        number = -number % 2**64 if sign == "-" and number < 2**64 - 1 else number
        least, most = 0, 2**bits - 1
    else:
        number = max(-number, -(2**63)) if sign == "-" else min(number, 2**63 - 1)
        least, most = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    if not least <= number <= most:
        fail(f"{text} is not valid {kind_name} integer")
    return number


def _real(kind_name: str, text: str) -> float:
    match = _REAL.match(text)
    if match is None:
        fail(f"{text} is not valid {kind_name} type value")
    digits = match[1].lower()
    number = float.fromhex(digits) if "0x" in digits else float(digits)
    largest = 3.4028235677973366e38
    if kind_name == "flt" and math.isfinite(number) and abs(number) >= largest:
        return math.copysign(math.inf, number)
    return number


def _file(name: str) -> bytes:
    if name == "-":
        return sys.stdin.buffer.read()
    try:
        with open(name, "rb") as file:
            return file.read()
    except OSError as fault:
        fail(f"Can't open input file: {fault.strerror}")
