"""
Messages of the YKD quorum provider, which travel in a totempg group of their own.

Source: Corosync exec/vsf_ykd.c struct ykd_header, ykd_session, ykd_state; in the sender's order.
"""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, NamedTuple

from corosync_tw.corotypes import Buffer
from corosync_tw.errors import MalformedFrame
from corosync_tw.services.exec_wire import both_orders, need

YKD_GROUP: Final = b"ykd"
YKD_MEMBERS_MAX: Final = 32
YKD_SESSIONS_MAX: Final = 32
SESSION_ID_MAX: Final = 0x7FFFFFFF


class YkdMessage(IntEnum):
    """Kinds of messages (enum ykd_header_values)."""

    SENDSTATE = 0
    ATTEMPT = 1


# id@0 i32; an ATTEMPT is nothing else
_HEADER: Final = both_orders("i")
HEADER_LEN: Final = 4
# member_list u32[32]@0, entries@128 i32, session_id@132 i32, 136 bytes
_SESSION: Final = both_orders(f"{YKD_MEMBERS_MAX}Iii")
SESSION_LEN: Final = 136
_WORD: Final = both_orders("i")
# last_primary@0, last_formed[32]@136, entries@4488, ambiguous_sessions[32]@4492, entries@8844,
# session_id@8848, 8852 bytes
_LAST_FORMED_OFFSET: Final = SESSION_LEN
_LAST_FORMED_COUNT_OFFSET: Final = _LAST_FORMED_OFFSET + YKD_SESSIONS_MAX * SESSION_LEN
_AMBIGUOUS_OFFSET: Final = _LAST_FORMED_COUNT_OFFSET + 4
_AMBIGUOUS_COUNT_OFFSET: Final = _AMBIGUOUS_OFFSET + YKD_SESSIONS_MAX * SESSION_LEN
_SESSION_ID_OFFSET: Final = _AMBIGUOUS_COUNT_OFFSET + 4
STATE_LEN: Final = _SESSION_ID_OFFSET + 4

assert (_SESSION.little.size, STATE_LEN) == (SESSION_LEN, 8852)


class YkdSession(NamedTuple):
    """
    A component that was primary, or that tried to become it.

    :ivar members: at most YKD_MEMBERS_MAX.
    """

    members: tuple[int, ...]
    session_id: int


@dataclass(slots=True)
class YkdState:
    """
    What a node knows of former primary components.

    :ivar ambiguous: attempts of which the node did not learn how they ended, at most
        YKD_SESSIONS_MAX.
    :ivar session_id: of the last attempt it took part in.
    """

    last_primary: YkdSession
    ambiguous: list[YkdSession] = field(default_factory=list)
    session_id: int = 0


def encode_attempt() -> bytes:
    """Encode an ATTEMPT."""
    return _HEADER.little.pack(YkdMessage.ATTEMPT)


def encode_state(state: YkdState) -> bytes:
    """Encode a SENDSTATE."""
    out = bytearray(STATE_LEN)
    _put_session(out, 0, state.last_primary)
    for index, session in enumerate(state.ambiguous):
        _put_session(out, _AMBIGUOUS_OFFSET + index * SESSION_LEN, session)
    _WORD.little.pack_into(out, _AMBIGUOUS_COUNT_OFFSET, len(state.ambiguous))
    _WORD.little.pack_into(out, _SESSION_ID_OFFSET, state.session_id)
    return _HEADER.little.pack(YkdMessage.SENDSTATE) + out


def decode_kind(data: Buffer, big_endian: bool) -> int:
    """Read which message it is; raises MalformedFrame."""
    need(data, HEADER_LEN, "ykd message")
    kind: int = _HEADER.of(big_endian).unpack_from(data)[0]
    return kind


def decode_state(data: Buffer, big_endian: bool) -> YkdState:
    """Decode a SENDSTATE; raises MalformedFrame."""
    need(data, HEADER_LEN + STATE_LEN, "ykd state")
    word = _WORD.of(big_endian)
    count = word.unpack_from(data, HEADER_LEN + _AMBIGUOUS_COUNT_OFFSET)[0]
    if not 0 <= count <= YKD_SESSIONS_MAX:
        raise MalformedFrame(f"ykd state with {count} ambiguous sessions")
    first = HEADER_LEN + _AMBIGUOUS_OFFSET
    return YkdState(
        _session(data, HEADER_LEN, big_endian),
        [_session(data, first + index * SESSION_LEN, big_endian) for index in range(count)],
        word.unpack_from(data, HEADER_LEN + _SESSION_ID_OFFSET)[0],
    )


def _put_session(out: bytearray, offset: int, session: YkdSession) -> None:
    padded = (*session.members, *(0,) * (YKD_MEMBERS_MAX - len(session.members)))
    _SESSION.little.pack_into(out, offset, *padded, len(session.members), session.session_id)


def _session(data: Buffer, offset: int, big_endian: bool) -> YkdSession:
    *members, count, session_id = _SESSION.of(big_endian).unpack_from(data, offset)
    if not 0 <= count <= YKD_MEMBERS_MAX:
        raise MalformedFrame(f"ykd session of {count} members")
    return YkdSession(tuple(members[:count]), session_id)
