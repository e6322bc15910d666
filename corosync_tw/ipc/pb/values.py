"""How values of the configuration map travel: [type, value], strings that are no UTF-8 as bytes."""

from corosync_tw.errors import CsInvalidParam
from corosync_tw.services.cmap.values import TypedValue
from corosync_tw.services.cmap.wire import ValueType


def plain(value: TypedValue) -> list[object]:
    """Make what travels."""
    content = value.value
    if isinstance(content, str):
        encoded = content.encode("utf-8", "surrogateescape")
        try:
            encoded.decode()
        except UnicodeDecodeError:
            content = encoded
    elif isinstance(content, int):
        # Not one of a subclass, such as the number of a service: only plain types travel.
        content = int(content)
    return [int(value.kind), content]


def typed(kind: object, content: object) -> TypedValue:
    """
    Understand what travelled; whether the value fits its type is not looked at.

    Raises: CsInvalidParam.
    """
    if not isinstance(kind, int) or kind not in tuple(ValueType):
        raise CsInvalidParam(f"type {kind!r}")
    value_type = ValueType(kind)
    if value_type is ValueType.STRING and isinstance(content, bytes):
        content = content.decode("utf-8", "surrogateescape")
    if isinstance(content, bool) or not isinstance(content, (int, float, str, bytes)):
        raise CsInvalidParam("a value is a number, text or bytes")
    return TypedValue(value_type, content)
