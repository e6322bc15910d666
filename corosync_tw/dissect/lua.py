"""
Makes a dissector for Wireshark and tshark of the table of formats.

The formats become tables of Lua, and ``dissector.lua`` beside this module reads them as ``decode``
does. A field is called corosync_tw.LAYOUT.FIELD.
"""

from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Any, Final

from corosync_tw import __version__
from corosync_tw.dissect.decode import CUT_SHORT, TOO_DEEP, TOO_MANY, TRAILING
from corosync_tw.dissect.fields import Choice, Field, Fixed, Layout, Part, Repeated
from corosync_tw.dissect.table import (
    CHUNKS_MAX,
    DEPTH_MAX,
    KINDS,
    LAYOUTS,
    PORTS,
    SEALED,
    SIGNATURES,
    TOTEM,
)

PREFIX: Final = "corosync_tw"
RUNTIME: Final = "dissector.lua"
_NUMBERS: Final = {
    "B": "uint8",
    "b": "int8",
    "H": "uint16",
    "h": "int16",
    "I": "uint32",
    "i": "int32",
    "Q": "uint64",
    "q": "int64",
}


def script() -> str:
    """Write the whole program."""
    runtime = resources.files(__package__).joinpath(RUNTIME).read_text(encoding="utf-8")
    names = {
        "PREFIX": PREFIX,
        "TOTEM": TOTEM,
        "SEALED": SEALED,
        "DEPTH_MAX": DEPTH_MAX,
        "CHUNKS_MAX": CHUNKS_MAX,
        "CUT_SHORT": CUT_SHORT,
        "TRAILING": TRAILING,
        "TOO_DEEP": TOO_DEEP,
        "TOO_MANY": TOO_MANY,
        "PORTS": list(PORTS),
        "KINDS": dict.fromkeys(KINDS, True),
        "SIGNATURES": [
            {"layout": name, "bytes": [{"at": at, "allowed": list(may)} for at, may in signature]}
            for name, signature in SIGNATURES
        ],
        "LAYOUTS": {name: _layout(layout) for name, layout in LAYOUTS.items()},
    }
    head = f"-- corosync_tw {__version__}: written by corosync-tw sniff --lua.\n"
    return (
        head
        + "".join(f"local {name} = {literal(value)}\n" for name, value in names.items())
        + runtime
    )


def _layout(layout: Layout) -> dict[str, Any]:
    return {
        "title": layout.title,
        "order": layout.order.value,
        "parts": [_part(part) for part in layout.parts],
        "next": _next(layout.then),
        "summary": list(layout.summary),
    }


def _part(part: Part) -> dict[str, Any]:
    if isinstance(part, Fixed):
        fields = list(map(_field, part.fields))
        return {"what": "fixed", "fields": fields, "len": _len(part.fields)}
    if isinstance(part, Repeated):
        bits = next((one.bits_of for one in part.fields if one.bits_of), "")
        return {
            "what": "list",
            "name": part.name,
            "count": part.count,
            "fields": list(map(_field, part.fields)),
            "len": _len(part.fields),
            "bits_of": bits,
            "bitmaps": sum(bool(one.bits_of) for one in part.fields),
            "single": sum(bool(one.name) for one in part.fields) == 1,
        }
    return {
        "what": "chunks",
        "name": part.name,
        "lengths": part.lengths,
        "layout": part.layout,
        "headless": part.headless,
        "endless": part.endless,
    }


def _len(fields: Iterable[Field]) -> int:
    return sum(one.len_bytes for one in fields if not one.bits_of)


def _field(one: Field) -> dict[str, Any]:
    kind = _NUMBERS.get(one.code) or ("bytes" if one.hexadecimal else "string")
    return {
        "name": one.name,
        "kind": kind,
        "len": 0 if one.bits_of else one.len_bytes,
        "bitmap": bool(one.bits_of),
        "hex": one.hexadecimal,
        "names": dict(one.names),
    }


def _next(then: str | Choice) -> Any:
    if not isinstance(then, Choice):
        return then
    cases = {key: _next(case) for key, case in then.cases.items()}
    return {"field": then.field, "cases": cases, "otherwise": then.otherwise}


def literal(value: Any) -> str:
    """Write a value as Lua does."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        quoted = "".join(
            one if one.isalnum() or one in " _.,-:/'" else _escaped(one) for one in value
        )
        return f'"{quoted}"'
    if isinstance(value, Mapping):
        pairs = (f"[{literal(key)}] = {literal(item)}" for key, item in value.items())
        return "{" + ", ".join(pairs) + "}"
    return "{" + ", ".join(map(literal, value)) + "}"


def _escaped(one: str) -> str:
    return "".join(f"\\{byte:03}" for byte in one.encode())
