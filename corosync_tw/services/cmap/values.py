"""
Typed values of the configuration map, and their bytes as C clients of this machine see them.

Source: Corosync include/corosync/icmap.h icmap_value_types_t; exec/icmap.c icmap_check_value_len,
icmap_item_eq, icmap_adjust_int_r.
"""

from struct import Struct, error
from typing import Final, NamedTuple, Self

from corosync_tw.errors import CsInvalidParam
from corosync_tw.services.cmap.wire import ValueType

# Source: exec/icmap.c ICMAP_MAX_VALUE_LEN; a string's NUL is not counted.
VALUE_LEN_BYTES_MAX: Final = 16 * 1024
_NUMBERS: Final = {
    ValueType.INT8: Struct("=b"),
    ValueType.UINT8: Struct("=B"),
    ValueType.INT16: Struct("=h"),
    ValueType.UINT16: Struct("=H"),
    ValueType.INT32: Struct("=i"),
    ValueType.UINT32: Struct("=I"),
    ValueType.INT64: Struct("=q"),
    ValueType.UINT64: Struct("=Q"),
    ValueType.FLOAT: Struct("=f"),
    ValueType.DOUBLE: Struct("=d"),
}
_REALS: Final = frozenset({ValueType.FLOAT, ValueType.DOUBLE})


class TypedValue(NamedTuple):
    """
    A value and its type.

    :ivar value: int for the integer types, float, str (bytes that are no UTF-8 by surrogateescape)
        or bytes.
    """

    kind: ValueType
    value: int | float | str | bytes

    @classmethod
    def u8(cls, number: int) -> Self:
        """Make an unsigned number of 8 bits; likewise u16, u32, u64, i32."""
        return cls(ValueType.UINT8, number)

    @classmethod
    def u16(cls, number: int) -> Self:
        """Make an unsigned number of 16 bits."""
        return cls(ValueType.UINT16, number)

    @classmethod
    def u32(cls, number: int) -> Self:
        """Make an unsigned number of 32 bits."""
        return cls(ValueType.UINT32, number)

    @classmethod
    def u64(cls, number: int) -> Self:
        """Make an unsigned number of 64 bits."""
        return cls(ValueType.UINT64, number)

    @classmethod
    def i32(cls, number: int) -> Self:
        """Make a signed number of 32 bits."""
        return cls(ValueType.INT32, number)

    @classmethod
    def string(cls, text: str) -> Self:
        """Make a string."""
        return cls(ValueType.STRING, text)

    def encode(self) -> bytes:
        """
        Give the bytes that clients see: native numbers, a string with its NUL.

        Raises CsInvalidParam: the value does not fit its type or is too long.
        """
        kind, value = self
        number = _NUMBERS.get(kind)
        if number is not None:
            try:
                return number.pack(value)
            except (error, OverflowError):
                raise CsInvalidParam(f"{value!r} is no {kind.name}") from None
        if kind is ValueType.STRING and isinstance(value, str):
            data = value.encode("utf-8", "surrogateescape")
            if b"\0" not in data:
                return _bounded(data) + b"\0"
        if kind is ValueType.BINARY and isinstance(value, bytes):
            return _bounded(value)
        raise CsInvalidParam(f"{value!r} is no {kind.name}")

    def same(self, other: "TypedValue") -> bool:
        """Tell whether type and bytes are equal; a NaN equals itself."""
        if self.kind in _REALS and other.kind is self.kind:
            return self.encode() == other.encode()
        return self == other

    def adjusted(self, step: int) -> Self:
        """
        Add to an integer; it wraps around at the limits of its type.

        Raises CsInvalidParam: the value is no integer.
        """
        kind, value = self
        if kind in _REALS or not isinstance(value, int):
            raise CsInvalidParam(f"{kind.name} cannot be adjusted")
        number = _NUMBERS[kind]
        wrapped = (value + step) & ((1 << 8 * number.size) - 1)
        return type(self)(kind, number.unpack(wrapped.to_bytes(number.size, _NATIVE))[0])


def _bounded(data: bytes) -> bytes:
    if len(data) > VALUE_LEN_BYTES_MAX:
        raise CsInvalidParam(f"a value of {len(data)} bytes")
    return data


def decode_value(kind: int, data: bytes) -> TypedValue:
    """
    Understand the bytes that a client sets.

    A string may come without its NUL; nothing may follow it.
    Raises CsInvalidParam: unknown type, or a length that the type does not allow.
    """
    if len(data) > VALUE_LEN_BYTES_MAX:
        raise CsInvalidParam(f"a value of {len(data)} bytes")
    if kind == ValueType.STRING:
        text, _, rest = data.partition(b"\0")
        if rest:
            raise CsInvalidParam("bytes behind the end of a string")
        return TypedValue(ValueType.STRING, text.decode("utf-8", "surrogateescape"))
    if kind == ValueType.BINARY:
        return TypedValue(ValueType.BINARY, data)
    try:
        typed = ValueType(kind)
        return TypedValue(typed, _NUMBERS[typed].unpack(data)[0])
    except (ValueError, KeyError, error):
        raise CsInvalidParam(f"{len(data)} bytes of type {kind}") from None


_NATIVE: Final = "little" if Struct("=H").pack(1)[0] else "big"
