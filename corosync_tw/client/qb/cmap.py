"""
What libcmap offers: keys with typed values, lists of keys, changes as they come.

Source: Corosync lib/cmap.c.
"""

import os
from collections.abc import Iterator
from enum import IntEnum
from struct import Struct
from typing import Final, NamedTuple

from corosync_tw.client.qb.connection import Connection, connect
from corosync_tw.client.qb.faults import ForeignBytes
from corosync_tw.errors import CsInvalidParam, CsNameTooLong, CsNoSections
from corosync_tw.services.cmap.lib_wire import (
    GET_RESPONSE,
    GET_RESPONSE_LEN,
    HANDLE,
    HANDLE_RESPONSE_LEN,
    ITER_NEXT_RESPONSE,
    ITER_NEXT_RESPONSE_LEN,
    MAP,
    NAME_FORMAT,
    NOTIFY,
    SET_CURRENT_MAP_LEN,
    SET_TAIL,
    STEP,
    TRACK_TAIL,
    VALUE_LEN,
    CmapRequest,
    CmapResponse,
)
from corosync_tw.services.cmap.trackers import Track
from corosync_tw.services.cmap.values import TypedValue, decode_value
from corosync_tw.services.cmap.wire import ValueType
from corosync_tw.services.lib_requests import (
    REQUEST_HEADER_LEN,
    RESPONSE_HEADER,
    RESPONSE_HEADER_LEN,
)

# cmap.h CMAP_KEYNAME_MAXLEN
KEY_LEN_MAX: Final = 255
KEYS_MAX: Final = 10_000_000
# What a first question for a value has room for; a longer value is asked for again.
_FIRST_ROOM_LEN: Final = 512
_ROOM_LEN_MAX: Final = 1024 * 1024 - GET_RESPONSE_LEN
_KEY: Final = Struct(f"={REQUEST_HEADER_LEN}x{NAME_FORMAT}")


class Map(IntEnum):
    """Maps of the daemon (ipc_cmap.h CMAP_SETMAP_*)."""

    ICMAP = 0
    STATS = 1


class Key(NamedTuple):
    """
    One entry of a listing.

    :ivar kind: of its value, a ValueType when the daemon is sane.
    :ivar value_len: bytes, of a string with its NUL.
    """

    name: str
    kind: int
    value_len: int


class Change(NamedTuple):
    """
    A change of a tracked key.

    :ivar event: one of Track.DELETE, MODIFY and ADD when the daemon is sane.
    :ivar new: None when there is none; likewise ``old``.
    """

    instance: int
    event: int
    name: str
    new: TypedValue | None
    old: TypedValue | None


class Cmap:
    """A connection to the service; methods raise CsError."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def filenos(self) -> tuple[int, ...]:
        """Give the descriptors of which one is readable when there is a change or the end."""
        return self._connection.filenos()

    def choose(self, which: Map) -> None:
        """Turn to another map. Raises: CsNotSupported by an old daemon."""
        message = bytes(REQUEST_HEADER_LEN) + MAP.pack(which)
        self._connection.request(
            CmapRequest.SET_CURRENT_MAP, message.ljust(SET_CURRENT_MAP_LEN, b"\0")
        )

    def get(self, name: str) -> TypedValue:
        """
        Read a key.

        Raises: CsNotExist, CsNameTooLong.
        """
        try:
            kind, value_len, data = self._get(name, _FIRST_ROOM_LEN)
        except CsInvalidParam:
            # Too long for the room; the length is told when there is no room at all.
            kind, value_len, data = self._get(name, 0)
        if value_len > len(data):
            if value_len > _ROOM_LEN_MAX:
                raise ForeignBytes(f"a value of {value_len} bytes")
            kind, value_len, data = self._get(name, value_len)
        return _value(kind, data)

    def get_number(self, name: str, kind: ValueType) -> int | None:
        """Read an integer key; None when it is not there or of another type."""
        try:
            value = self.get(name)
        except CsInvalidParam:
            return None
        return value.value if value.kind is kind and isinstance(value.value, int) else None

    def set(self, name: str, value: TypedValue) -> None:
        """
        Write a key. Raises: CsAccess for a key that is read-only, CsInvalidParam.

        A string is sent without its NUL, as the C library does.
        """
        data = value.encode()
        if value.kind is ValueType.STRING:
            data = data[:-1]
        self._connection.request(
            CmapRequest.SET, _key(name) + SET_TAIL.pack(len(data), value.kind) + data
        )

    def delete(self, name: str) -> None:
        """Delete a key. Raises: CsNotExist, CsAccess."""
        self._connection.request(CmapRequest.DELETE, _key(name))

    def adjust(self, name: str, step: int) -> None:
        """Add to an integer key. Raises: CsNotExist, CsAccess, CsInvalidParam."""
        self._connection.request(CmapRequest.ADJUST_INT, _key(name) + STEP.pack(step) + bytes(4))

    def keys(self, prefix: str | None = None) -> Iterator[Key]:
        """List the keys that begin so; in the daemon's order, which is sorted."""
        answer = self._connection.request(
            CmapRequest.ITER_INIT, _key(prefix or ""), HANDLE_RESPONSE_LEN
        )
        handle = bytes(REQUEST_HEADER_LEN) + answer[RESPONSE_HEADER_LEN:HANDLE_RESPONSE_LEN]
        return self._keys(handle)

    def track(self, name: str, mask: Track, instance: int) -> int:
        """
        Ask to be told of changes.

        :param mask: events, and Track.PREFIX for all keys that begin so.
        :param instance: comes back with every change.
        :return: the handle for untrack.
        """
        answer = self._connection.request(
            CmapRequest.TRACK_ADD, _key(name) + TRACK_TAIL.pack(mask, instance), HANDLE_RESPONSE_LEN
        )
        handle: int = HANDLE.unpack_from(answer, RESPONSE_HEADER_LEN)[0]
        return handle

    def untrack(self, handle: int) -> None:
        """Ask no more. Raises: CsNotExist."""
        self._connection.request(
            CmapRequest.TRACK_DELETE, bytes(REQUEST_HEADER_LEN) + HANDLE.pack(handle)
        )

    def change(self, timeout_s: float | None = None) -> Change | None:
        """Take the next change; None when there is none in this time."""
        event = self._connection.event(timeout_s)
        return None if event is None else _change(event)

    def _get(self, name: str, room_len: int) -> tuple[int, int, bytes]:
        answer = self._connection.request(
            CmapRequest.GET, _key(name) + VALUE_LEN.pack(room_len), GET_RESPONSE_LEN
        )
        value_len, kind = GET_RESPONSE.unpack_from(answer, RESPONSE_HEADER_LEN)
        data = answer[GET_RESPONSE_LEN:]
        if room_len and not len(data) >= value_len <= room_len:
            raise ForeignBytes(f"{len(data)} bytes of a value of {value_len}")
        return kind, value_len, data[:value_len] if room_len else b""

    def _keys(self, handle: bytes) -> Iterator[Key]:
        for _ in range(KEYS_MAX):
            try:
                answer = self._connection.request(
                    CmapRequest.ITER_NEXT, handle, ITER_NEXT_RESPONSE_LEN
                )
            except CsNoSections:
                break
            _, name, value_len, kind = ITER_NEXT_RESPONSE.unpack_from(answer, RESPONSE_HEADER_LEN)
            yield Key(_name(name), kind, value_len)
        self._connection.request(CmapRequest.ITER_FINALIZE, handle)


def _key(name: str) -> bytes:
    data = os.fsencode(name)
    if len(data) > KEY_LEN_MAX:
        raise CsNameTooLong(f"a key of {len(data)} bytes")
    return _KEY.pack(len(data), data)


def _name(field: bytes) -> str:
    return os.fsdecode(field.partition(b"\0")[0])


def _value(kind: int, data: bytes) -> TypedValue:
    if kind == ValueType.STRING:
        return TypedValue(ValueType.STRING, _name(data))
    try:
        return decode_value(kind, data)
    except CsInvalidParam as fault:
        raise ForeignBytes(str(fault)) from fault


def _change(event: bytes) -> Change:
    if RESPONSE_HEADER.unpack_from(event)[0] != CmapResponse.NOTIFY_CALLBACK:
        raise ForeignBytes("an event of another kind")
    if len(event) < RESPONSE_HEADER_LEN + NOTIFY.size:
        raise ForeignBytes(f"a change of {len(event)} bytes")
    instance, _, name, what, *values = NOTIFY.unpack_from(event, RESPONSE_HEADER_LEN)
    new_kind, old_kind, new_len, old_len = values
    data = event[RESPONSE_HEADER_LEN + NOTIFY.size :]
    if new_len + old_len > len(data):
        raise ForeignBytes(f"values of {new_len} and {old_len} bytes in {len(data)}")
    new, old = data[:new_len], data[new_len : new_len + old_len]
    return Change(
        instance,
        what,
        _name(name),
        _value(new_kind, new) if new_kind else None,
        _value(old_kind, old) if old_kind else None,
    )


def connect_cmap(which: Map = Map.ICMAP, timeout_s: float | None = None) -> Cmap:
    """Connect to this machine's daemon and choose a map. Raises: CsError."""
    cmap = Cmap(connect("cmap", timeout_s))
    try:
        cmap.choose(which)
    except BaseException:
        cmap.close()
        raise
    return cmap
