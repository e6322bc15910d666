"""Frames for people, one line or many, and for programs as plain values."""

from collections.abc import Iterator
from datetime import datetime, tzinfo
from typing import Any, Final

from corosync_tw.corotypes import NS_PER_S
from corosync_tw.dissect.decode import Layer, Value
from corosync_tw.dissect.fields import DATA, Field, Fixed, Repeated
from corosync_tw.dissect.sniffer import Frame

# Of a list on one line, and of bytes.
LIST_SHOWN_MAX: Final = 8
BYTES_SHOWN_MAX: Final = 32
# Messages of one packet that have a place on its line.
MESSAGES_SHOWN_MAX: Final = 2
_RING: Final = "ring_id"
_NODE_LAYERS: Final = {"totem": "nodeid", "knet": "node"}


def line(frame: Frame, zone: tzinfo | None = None) -> str:
    """Describe a frame on one line, as tcpdump does; ``zone`` is that of its time, else ours."""
    parts = [_clock(frame.time_ns, zone)]
    if frame.interface:
        parts.append(frame.interface)
    parts += [_address(frame.source), ">", f"{_address(frame.destination)}:"]
    words = " | ".join(_summaries(frame))
    notes = "".join(f" [{note}]" for note in _notes(frame))
    return f"{' '.join(parts)} {words}{notes}, {frame.len_bytes} bytes"


def block(frame: Frame) -> Iterator[str]:
    """Describe all fields of a frame, one line each."""
    for layer in frame.layers:
        yield f"    {layer.layout.title} ({layer.layout.name})"
        meanings = fields_by_name(layer)
        for name, value in layer.values.items():
            yield f"        {name:18} {_shown(value, meanings.get(name))}"
        if layer.fault:
            yield f"        ! {layer.fault}"


def document(frame: Frame) -> dict[str, Any]:
    """Make plain values of a frame."""
    return {
        "time_ns": frame.time_ns,
        "interface": frame.interface,
        "source": list(frame.source),
        "destination": list(frame.destination),
        "len_bytes": frame.len_bytes,
        "kind": frame.kind,
        "notes": list(_notes(frame)),
        "layers": [
            {"layout": layer.layout.name, **_plain(layer.values, fields_by_name(layer))}
            for layer in frame.layers
        ],
    }


def fields_by_name(layer: Layer) -> dict[str, Field]:
    """Give the fields of a layout; a list of single fields by its own name."""
    found: dict[str, Field] = {}
    for part in layer.layout.parts:
        if isinstance(part, Fixed):
            found |= {one.name: one for one in part.fields}
        elif isinstance(part, Repeated):
            found |= {one.name: one for one in part.fields if one.name not in found}
            found[part.name] = part.fields[0]
        elif not part.layout:
            found[part.name] = Field(part.name, "s")
    return found


def _clock(time_ns: int, zone: tzinfo | None) -> str:
    seconds, rest_ns = divmod(time_ns, NS_PER_S)
    try:
        clock = datetime.fromtimestamp(seconds, zone)
    except (OverflowError, ValueError, OSError):
        return f"{seconds}.{rest_ns // 1000:06}"
    return f"{clock:%H:%M:%S}.{rest_ns // 1000:06}"


def _address(address: tuple[str, int]) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _notes(frame: Frame) -> Iterator[str]:
    yield from frame.notes
    for layer in frame.layers:
        if layer.fault:
            yield f"{layer.layout.name}: {layer.fault}"


def _summaries(frame: Frame) -> Iterator[str]:
    node: list[str] = []
    messages = 0
    for layer in frame.layers:
        name = layer.layout.name
        if name in _NODE_LAYERS:
            node = [f"node {_shown(layer.values.get(_NODE_LAYERS[name], b'?'), None)}"]
            continue
        messages += name == "message"
        if name != "message" and messages <= MESSAGES_SHOWN_MAX:
            yield " ".join((name, *node, *_words(layer)))
        node = []
    if node:
        yield " ".join((frame.kind, *node))
    if messages > MESSAGES_SHOWN_MAX:
        yield f"{messages} messages"


def _words(layer: Layer) -> Iterator[str]:
    meanings = fields_by_name(layer)
    for name in layer.layout.summary:
        if name == _RING:
            rep, seq = (layer.values.get(f"{_RING}.{part}") for part in ("rep", "seq"))
            if isinstance(rep, int) and isinstance(seq, int):
                yield f"ring {rep}.{seq:x}"
        elif name in layer.values:
            value = layer.values[name]
            # An empty list is most lists, and says nothing.
            if value != []:
                yield f"{name} {_shown(value, meanings.get(name), short=True)}"


def _shown(value: Value, field: Field | None, *, short: bool = False) -> str:
    if isinstance(value, list):
        shown = value[:LIST_SHOWN_MAX] if short else value
        more = f" and {len(value) - len(shown)} more" if len(shown) < len(value) else ""
        words = " ".join(
            _short_entry(one) if isinstance(one, dict) else _shown(one, field) for one in shown
        )
        return f"[{words}{more}]"
    if isinstance(value, dict):
        return " ".join(f"{name}={_shown(one, None)}" for name, one in value.items())
    if isinstance(value, bytes):
        return _bytes(value, field)
    if field is not None and field.hexadecimal:
        return f"{value:#x}"
    meaning = field.names.get(value) if field is not None else None
    if meaning is None:
        return str(value)
    return meaning if short else f"{value} ({meaning})"


def _short_entry(entry: dict[str, Value]) -> str:
    """Show an entry of a list: by its sequence number if it has one."""
    if set(entry) == {"ring_id.rep", "ring_id.seq", "seq"}:
        return str(entry["seq"])
    return "{" + " ".join(f"{name}={_shown(one, None)}" for name, one in entry.items()) + "}"


def _bytes(value: bytes, field: Field | None) -> str:
    if field is not None and not field.hexadecimal:
        return text_of(value)
    if field is None and value.isascii() and value.decode().isprintable() and len(value) < 256:
        return text_of(value)
    more = f".. ({len(value)} bytes)" if len(value) > BYTES_SHOWN_MAX else ""
    return value[:BYTES_SHOWN_MAX].hex() + more


def text_of(value: bytes) -> str:
    """Make text of bytes that should be text; without the zeros that fill its field."""
    text = value.rstrip(b"\0").decode("utf-8", "backslashreplace")
    return "".join(one if one.isprintable() else f"\\x{ord(one):02x}" for one in text)


def _plain(values: Any, fields: dict[str, Field], name: str = "") -> Any:
    if isinstance(values, dict):
        return {key: _plain(value, fields, key) for key, value in values.items()}
    if isinstance(values, list):
        return [_plain(value, fields, name) for value in values]
    if isinstance(values, bytes):
        field = fields.get(name)
        if name == DATA or (field is not None and field.hexadecimal):
            return values.hex()
        return text_of(values)
    return values
