"""
Messages of libcmap: layouts of requests, responses and the one event.

Native byte order. Names are mar_name_t: u16 length@0, char[256]@8; as in stock their length only
says whether there is a name, which then ends at its NUL.
Source: Corosync include/corosync/ipc_cmap.h.
"""

from enum import IntEnum
from struct import Struct
from typing import Final

from corosync_tw.corotypes import Slices
from corosync_tw.services.cmap.values import TypedValue
from corosync_tw.services.lib_requests import (
    REQUEST_HEADER_LEN,
    RESPONSE_HEADER_LEN,
    event_header,
    response,
)


class CmapRequest(IntEnum):
    """Requests (enum req_cmap_types)."""

    SET = 0
    DELETE = 1
    GET = 2
    ADJUST_INT = 3
    ITER_INIT = 4
    ITER_NEXT = 5
    ITER_FINALIZE = 6
    TRACK_ADD = 7
    TRACK_DELETE = 8
    SET_CURRENT_MAP = 9


class CmapResponse(IntEnum):
    """Responses and the event, where they differ from the request (enum res_cmap_types)."""

    NOTIFY_CALLBACK = 9
    SET_CURRENT_MAP = 10


NAME_FORMAT: Final = "H6x256s"
_NAME_LENGTH: Final = Struct("=H")
_NAME_TEXT_OFFSET: Final = REQUEST_HEADER_LEN + 8
_NAME_END: Final = _NAME_TEXT_OFFSET + 256
NAMED_LEN: Final = _NAME_END
# value_len@280, type@288, the value@296
SET_TAIL: Final = Struct("=QB7x")
SET_LEN: Final = NAMED_LEN + SET_TAIL.size
# step@280
STEP: Final = Struct("=i")
ADJUST_INT_LEN: Final = NAMED_LEN + 8
# value_len@280
GET_LEN: Final = NAMED_LEN + 8
VALUE_LEN: Final = Struct("=Q")
# track_type@280, track_inst_handle@288
TRACK_TAIL: Final = Struct("=i4xQ")
TRACK_ADD_LEN: Final = NAMED_LEN + TRACK_TAIL.size
HANDLE: Final = Struct("=Q")
HANDLE_LEN: Final = REQUEST_HEADER_LEN + HANDLE.size
# map@16; the struct is padded to 24 bytes
MAP: Final = Struct("=i")
SET_CURRENT_MAP_LEN: Final = REQUEST_HEADER_LEN + 8

# value_len@24, type@32, the value@40
GET_RESPONSE: Final = Struct("=QB7x")
GET_RESPONSE_LEN: Final = RESPONSE_HEADER_LEN + GET_RESPONSE.size
# name@24, value_len@288, type@296
ITER_NEXT_RESPONSE: Final = Struct(f"={NAME_FORMAT}QB7x")
ITER_NEXT_RESPONSE_LEN: Final = RESPONSE_HEADER_LEN + ITER_NEXT_RESPONSE.size
HANDLE_RESPONSE_LEN: Final = RESPONSE_HEADER_LEN + HANDLE.size
# instance@24, name@32, event@296, new type@304, old type@312, new len@320, old len@328,
# the new value@336, the old value
NOTIFY: Final = Struct(f"=Q{NAME_FORMAT}i4xB7xB7xQQ")

assert (SET_LEN, TRACK_ADD_LEN, ADJUST_INT_LEN) == (296, 296, 288)
assert (GET_RESPONSE_LEN, ITER_NEXT_RESPONSE_LEN) == (40, 304)
assert RESPONSE_HEADER_LEN + NOTIFY.size == 336


def decode_key(request: bytes) -> str:
    """Read the name of a request up to its NUL; bytes beyond ASCII become what no key can hold."""
    end = request.find(b"\0", _NAME_TEXT_OFFSET, _NAME_END)
    text = request[_NAME_TEXT_OFFSET : _NAME_END if end < 0 else end]
    return text.decode("latin-1")


def decode_optional_key(request: bytes) -> str | None:
    """Read the name of a request; None when its length says that there is none."""
    if not _NAME_LENGTH.unpack_from(request, REQUEST_HEADER_LEN)[0]:
        return None
    return decode_key(request)


def decode_set(request: bytes) -> tuple[int, int]:
    """Read the length and the type of the value behind SET_LEN."""
    value_len, kind = SET_TAIL.unpack_from(request, NAMED_LEN)
    return value_len, kind


def decode_get(request: bytes) -> int:
    """Read how many bytes of a value the client can take; 0 asks for its length and type alone."""
    return int(VALUE_LEN.unpack_from(request, NAMED_LEN)[0])


def decode_step(request: bytes) -> int:
    """Read the step of ADJUST_INT."""
    return int(STEP.unpack_from(request, NAMED_LEN)[0])


def decode_track_add(request: bytes) -> tuple[int, int]:
    """Read the mask, and the number that the library gives to this tracker."""
    mask, instance = TRACK_TAIL.unpack_from(request, NAMED_LEN)
    return mask, instance


def decode_handle(request: bytes) -> int:
    """Read the handle of an iterator or tracker."""
    return int(HANDLE.unpack_from(request, REQUEST_HEADER_LEN)[0])


def decode_map(request: bytes) -> int:
    """Read the number of a map."""
    return int(MAP.unpack_from(request, REQUEST_HEADER_LEN)[0])


def encode_get(kind: int, value_len: int, value: bytes) -> bytes:
    """
    Answer GET.

    Stock pads the answer to what the client can take; clients look at value_len alone.
    """
    return response(CmapRequest.GET, GET_RESPONSE.pack(value_len, kind) + value)


def encode_iter_next(key: str, kind: int, value_len: int) -> bytes:
    """Answer ITER_NEXT."""
    body = ITER_NEXT_RESPONSE.pack(len(key), key.encode("ascii"), value_len, kind)
    return response(CmapRequest.ITER_NEXT, body)


def encode_handle(response_id: int, handle: int) -> bytes:
    """Answer ITER_INIT or TRACK_ADD with a handle, or TRACK_DELETE with the library's number."""
    return response(response_id, HANDLE.pack(handle))


def encode_notify(
    instance: int, event: int, key: str, new: TypedValue | None, old: TypedValue | None
) -> Slices:
    """Tell of a change; a value that is not there has type and length 0."""
    new_kind, new_data = (0, b"") if new is None else (new.kind, new.encode())
    old_kind, old_data = (0, b"") if old is None else (old.kind, old.encode())
    lengths = len(new_data), len(old_data)
    body = NOTIFY.pack(instance, len(key), key.encode("ascii"), event, new_kind, old_kind, *lengths)
    total_len = len(body) + sum(lengths)
    return event_header(CmapResponse.NOTIFY_CALLBACK, total_len) + body, new_data, old_data
