"""
Datagrams to layers, by the table of formats. Total: whatever the bytes are, there are layers, and
the last one says what is wrong with them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from struct import Struct
from typing import Any, Final

from corosync_tw.corotypes import Buffer
from corosync_tw.dissect.fields import DATA, Choice, Chunks, Field, Fixed, Layout, Order, Repeated
from corosync_tw.dissect.table import CHUNKS_MAX, DEPTH_MAX, LAYOUTS, SEALED, SIGNATURES, TOTEM
from corosync_tw.totem.const import TOTEM_MAGIC

Value = int | bytes | list["Value"] | dict[str, "Value"]
Values = dict[str, Value]

CUT_SHORT: Final = "cut short"
TRAILING: Final = "bytes behind the end"
TOO_DEEP: Final = "frames in frames in frames"
TOO_MANY: Final = "too many messages in one packet"
_BIG_FIRST: Final = TOTEM_MAGIC >> 8


@dataclass(slots=True)
class Layer:
    """
    One format's share of a datagram.

    :ivar values: by field; a list of one field is a list of its values, of more a list of dicts.
    :ivar fault: what is wrong, if anything.
    """

    layout: Layout
    values: Values = field(default_factory=dict)
    fault: str = ""


class _Short(Exception):
    """There are not as many bytes as there should be."""


def layout_of(datagram: Buffer) -> str:
    """Tell which layout a datagram begins with; SEALED for what begins with none."""
    for name, signature in SIGNATURES:
        if all(len(datagram) > at and datagram[at] in allowed for at, allowed in signature):
            return name
    return SEALED


def dissect(datagram: Buffer, name: str = "") -> list[Layer]:
    """
    Take a datagram apart, outermost layer first.

    :param name: layout to begin with, else as ``layout_of`` finds.
    """
    layers: list[Layer] = []
    _Reader(memoryview(datagram), layers).layout(name or layout_of(datagram), 0, {}, False)
    return layers


class _Reader:
    """
    Reads layouts one after the other.

    :ivar at: how far it has come.
    """

    def __init__(self, data: memoryview, layers: list[Layer], *, endless: bool = False) -> None:
        """:param endless: the bytes go on elsewhere, and may end here anywhere."""
        self._data = data
        self._layers = layers
        self._endless = endless
        self.at = 0

    def layout(self, name: str, depth: int, outer: Mapping[str, Value], big: bool) -> None:
        """Read a layout and all that follows it."""
        layout = LAYOUTS[name]
        layer = Layer(layout)
        self._layers.append(layer)
        depth += name == TOTEM
        if depth > DEPTH_MAX:
            layer.fault = TOO_DEEP
            return
        big = self._is_big(layout.order, big)
        scope: dict[str, Value] = {}
        try:
            for part in layout.parts:
                if isinstance(part, Fixed):
                    self._fixed(part, layer.values, big)
                elif isinstance(part, Repeated):
                    self._repeated(part, layer.values, big)
                else:
                    self._chunks(part, layer, depth, big)
            scope = {**outer, **layer.values}
        except _Short:
            layer.fault = "" if self._endless else CUT_SHORT
            return
        rest = len(self._data) - self.at
        if not rest:
            return
        then = _chosen(layout.then, scope)
        if not then:
            layer.fault = TRAILING
        elif then == DATA:
            layer.values[DATA] = bytes(self._data[self.at :])
        else:
            self.layout(then, depth, scope, big)

    def _is_big(self, order: Order, outer: bool) -> bool:
        if order is Order.MAGIC:
            return self.at < len(self._data) and self._data[self.at] == _BIG_FIRST
        return outer if order is Order.OUTER else order is Order.BIG

    def _take(self, len_bytes: int) -> memoryview:
        piece = self._data[self.at : self.at + len_bytes]
        if len(piece) < len_bytes:
            raise _Short
        self.at += len_bytes
        return piece

    def _fixed(self, part: Fixed, values: Values, big: bool) -> None:
        codec = codec_of(part.fields, big)
        numbers = codec.unpack(self._take(codec.size))
        names = [one.name for one in part.fields if one.name]
        values.update(zip(names, numbers, strict=True))

    def _repeated(self, part: Repeated, values: Values, big: bool) -> None:
        count = values[part.count]
        assert isinstance(count, int)
        bits = {one.bits_of for one in part.fields if one.bits_of}
        bitmap_len = 0
        for name in bits:
            nodes = values[name]
            assert isinstance(nodes, int)
            bitmap_len = (nodes + 7) // 8
        codec = codec_of(part.fields, big, bitmap_len)
        if count < 0 or count * codec.size > len(self._data) - self.at:
            raise _Short
        names = [one.name for one in part.fields if one.name]
        entries = codec.iter_unpack(self._take(count * codec.size))
        found: list[Value]
        if len(names) == 1:
            found = [entry[0] for entry in entries]
        else:
            found = [dict(zip(names, entry, strict=True)) for entry in entries]
        values[part.name] = found

    def _chunks(self, part: Chunks, layer: Layer, depth: int, big: bool) -> None:
        lengths = layer.values[part.lengths]
        assert isinstance(lengths, list)
        texts: list[Value] = []
        for number, length in enumerate(lengths):
            assert isinstance(length, int)
            chunk = self._take(length)
            if number >= CHUNKS_MAX:
                layer.fault = TOO_MANY
            elif not part.layout:
                texts.append(bytes(chunk))
            elif number or not (part.headless and layer.values[part.headless]):
                goes_on = number == len(lengths) - 1 and bool(layer.values.get(part.endless))
                reader = _Reader(chunk, self._layers, endless=goes_on)
                reader.layout(part.layout, depth, {}, big)
        if not part.layout:
            layer.values[part.name] = texts


@lru_cache(maxsize=256)
def codec_of(fields: tuple[Field, ...], big: bool, bitmap_len: int = 0) -> Struct:
    """Compile fields; ``bitmap_len`` is the length of bitmaps in bytes."""
    codes = (f"{bitmap_len}s" if one.bits_of else one.code for one in fields)
    return Struct((">" if big else "<") + "".join(codes))


def _chosen(then: str | Choice, scope: Mapping[str, Value]) -> str:
    while isinstance(then, Choice):
        value = scope.get(then.field, -1)
        if isinstance(value, list):
            first = value[0] if value else b""
            value = first if isinstance(first, int | bytes) else -1
        key = value.decode("latin-1") if isinstance(value, bytes) else value
        cases: Mapping[Any, str | Choice] = then.cases
        then = cases.get(key, then.otherwise)
    return then
