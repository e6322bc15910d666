"""
The words for what the core and the services report; Corosync's own, because people grep for them.

Source: Corosync exec/totemsrp.c (log_printf, gather_state_from_desc), exec/vsf_quorum.c,
exec/main.c.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from corosync_tw.corotypes import RingId
from corosync_tw.logsys.levels import Level
from corosync_tw.totem.const import GatherFrom, MembState
from corosync_tw.totem.trace import TraceCode

_QUORUM_LINE_LEN_CHARS_MAX: Final = 63
RETRANSMIT_LIST: Final = "Retransmit List: "


class Message(NamedTuple):
    """
    A line for the log.

    :ivar kind: what it has in common with other lines, of which only a few are to be printed.
    """

    subsys: str
    level: Level
    text: str
    kind: str = ""


_Values = Sequence[int]
_Say = Callable[[_Values], list[Message]]

GATHER_FROM_TEXTS: Final[dict[GatherFrom, str]] = {
    GatherFrom.CONSENSUS_TIMEOUT: "consensus timeout",
    GatherFrom.GATHER_MISSING1: "MISSING",
    GatherFrom.THE_TOKEN_WAS_LOST_IN_THE_OPERATIONAL_STATE: (
        "The token was lost in the OPERATIONAL state."
    ),
    GatherFrom.THE_CONSENSUS_TIMEOUT_EXPIRED: "The consensus timeout expired.",
    GatherFrom.THE_TOKEN_WAS_LOST_IN_THE_COMMIT_STATE: "The token was lost in the COMMIT state.",
    GatherFrom.THE_TOKEN_WAS_LOST_IN_THE_RECOVERY_STATE: (
        "The token was lost in the RECOVERY state."
    ),
    GatherFrom.FAILED_TO_RECEIVE: "failed to receive",
    GatherFrom.FOREIGN_MESSAGE_IN_OPERATIONAL_STATE: "foreign message in operational state",
    GatherFrom.FOREIGN_MESSAGE_IN_GATHER_STATE: "foreign message in gather state",
    GatherFrom.MERGE_DURING_OPERATIONAL_STATE: "merge during operational state",
    GatherFrom.MERGE_DURING_GATHER_STATE: "merge during gather state",
    GatherFrom.MERGE_DURING_JOIN: "merge during join",
    GatherFrom.JOIN_DURING_OPERATIONAL_STATE: "join during operational state",
    GatherFrom.JOIN_DURING_COMMIT_STATE: "join during commit state",
    GatherFrom.JOIN_DURING_RECOVERY: "join during recovery",
    GatherFrom.INTERFACE_CHANGE: "interface change",
}


def _totem(level: Level, text: str, kind: str = "") -> Message:
    return Message("TOTEM", level, text, kind)


def _state_entered(values: _Values) -> list[Message]:
    old, new, reason = values
    state = MembState(new)
    if state is MembState.IDLE and old != MembState.IDLE:
        leaving = _totem(Level.DEBUG, "sending join/leave message")
        return [leaving, _totem(Level.DEBUG, "entering IDLE state.")]
    if state is not MembState.GATHER:
        return [_totem(Level.DEBUG, f"entering {state.name} state.")]
    text = GATHER_FROM_TEXTS[GatherFrom(reason)]
    return [_totem(Level.DEBUG, f"entering GATHER state from {reason}({text}).")]


def _token_lost(values: _Values) -> list[Message]:
    state, token_timeout_ms, consensus_timeout_ms = values
    name = MembState(state).name
    messages = [_totem(Level.DEBUG, f"The token was lost in the {name} state.")]
    if state == MembState.OPERATIONAL:
        text = (
            "A processor failed, forming new configuration: token timed out"
            f" ({token_timeout_ms}ms), waiting {consensus_timeout_ms}ms for consensus."
        )
        messages.append(_totem(Level.NOTICE, text))
    return messages


def _ring_committed(values: _Values) -> list[Message]:
    aru, high_seq, ring_seq = values
    return [
        _totem(Level.DEBUG, f"Saving state aru {aru:x} high seq received {high_seq:x}"),
        Message("MAIN", Level.DEBUG, f"Storing new sequence id for ring {ring_seq:x}"),
    ]


def _recovery_member(values: _Values) -> list[Message]:
    position, nodeid, rep, seq, aru, delivered, flag = values
    marks = f"aru {aru:x} high delivered {delivered:x} received flag {flag}"
    texts = (
        f"position [{position}] member {nodeid}:",
        f"previous ringid ({ring_id_text(RingId(rep, seq))})",
        marks,
    )
    return [_totem(Level.DEBUG, text) for text in texts]


def _originated(values: _Values) -> list[Message]:
    count, low_aru, high_seq = values
    if not count:
        text = "Did not need to originate any messages in recovery."
        return [_totem(Level.DEBUG, text)]
    texts = (
        f"copying all old ring messages from {low_aru + 1:x}-{high_seq:x}.",
        f"Originated {count} messages in RECOVERY.",
    )
    return [_totem(Level.DEBUG, text) for text in texts]


def _recovery_ended(values: _Values) -> list[Message]:
    recovered, delivered, high_seq = values
    return [
        _totem(Level.DEBUG, "Resetting old ring state"),
        _totem(Level.DEBUG, f"recovery to regular 1-{recovered:x}"),
        _totem(Level.TRACE, f"Delivering to app {delivered + 1:x} to {high_seq:x}"),
    ]


def _nodeids(nodeids: Iterable[int]) -> str:
    return "".join(f" {nodeid}" for nodeid in nodeids)


def _one(level: Level, text_format: str) -> _Say:
    """Say one line in which ``{0}``, ``{1}`` ... are the values."""
    return lambda values: [_totem(level, text_format.format(*values))]


_TEXTS: Final[dict[TraceCode, _Say]] = {
    TraceCode.STATE_ENTERED: _state_entered,
    TraceCode.TOKEN_LOST: _token_lost,
    TraceCode.CONSENSUS_TIMED_OUT: lambda values: [
        _totem(
            Level.DEBUG,
            f"The consensus timeout expired. Not heard of:{_nodeids(values) or ' none'}",
        )
    ],
    TraceCode.TOKEN_LATE: _one(Level.NOTICE, "Token has not been received in {0} ms"),
    TraceCode.FRAME_MALFORMED: _one(
        Level.TRACE, "Received a message of type {0} and {1} bytes that is malformed...  ignoring."
    ),
    TraceCode.RETRANSMIT_LIST: lambda values: [
        _totem(
            Level.NOTICE,
            RETRANSMIT_LIST + "".join(f"{seq:x} " for seq in values),
            RETRANSMIT_LIST,
        )
    ],
    TraceCode.FAILED_TO_RECEIVE: _one(Level.ERROR, "FAILED TO RECEIVE"),
    TraceCode.PROCESS_PAUSED: _one(
        Level.NOTICE, "Process pause detected for {0} ms, flushing membership messages."
    ),
    TraceCode.LEAVE_RECEIVED: _one(Level.DEBUG, "Received LEAVE message from {0}"),
    TraceCode.LEFT_WITHOUT_LEAVE: lambda values: [
        _totem(Level.NOTICE, f"Failed to receive the leave message. failed:{_nodeids(values)}")
    ],
    TraceCode.NODEID_IN_USE: _one(
        Level.TRACE, "Received a message of type {0} that bears our own node id"
    ),
    TraceCode.TOKEN_REFUSED: _one(
        Level.DEBUG,
        "Refused a token that contradicts the ring: seq {0:x} aru {1:x} token_seq {2:x},"
        " high seq received {3:x}",
    ),
    TraceCode.RECOVERY_ORIGINATED: _originated,
    TraceCode.COMMIT_TOKEN_CREATED: _one(
        Level.DEBUG, "Creating commit token because I am the rep."
    ),
    TraceCode.COMMIT_TOKEN_RECEIVED: _one(Level.DEBUG, "got commit token"),
    TraceCode.RING_COMMITTED: _ring_committed,
    TraceCode.RECOVERY_TRANSITIONAL: lambda nodeids: [
        _totem(Level.DEBUG, f"TRANS [{at}] member {nodeid}:") for at, nodeid in enumerate(nodeids)
    ],
    TraceCode.RECOVERY_MEMBER: _recovery_member,
    TraceCode.TOKEN_ORIGINATED: _one(Level.DEBUG, "Sending initial ORF token"),
    TraceCode.RECOVERY_ENDED: _recovery_ended,
    TraceCode.PROCESSORS_TOO_MANY: _one(
        Level.ERROR,
        "A join would make {0} processors, more than a ring can have. Ignoring message.",
    ),
    TraceCode.TOKEN_RECEIVED: _one(
        Level.TRACE, "Received token seq {0:x} aru {1:x} token_seq {2:x} fcc {3}"
    ),
    TraceCode.LINK_FAILED: _one(
        Level.WARNING,
        "Node {1} does not hear node {0}, which others hear: check the link {0} to {1}.",
    ),
    TraceCode.LINK_WORKS: _one(Level.NOTICE, "Node {1} hears node {0} again."),
    TraceCode.KEPT_OUT: lambda values: [
        _totem(Level.WARNING, f"Faulty links keep nodes out of the membership:{_nodeids(values)}")
    ],
    TraceCode.TOKEN_TRAIL: _one(
        Level.DEBUG,
        "The token was last here {3} ms ago (token_seq {0:x}); it went on to node {1}, and {2}"
        " times again.",
    ),
    TraceCode.JOIN_FLUSHED: _one(Level.WARNING, "Discarding JOIN message during flush, nodeid={0}"),
}


# What comes with every datagram, or with every bad one.
_CHATTER: Final = frozenset(
    {TraceCode.TOKEN_RECEIVED, TraceCode.FRAME_MALFORMED, TraceCode.NODEID_IN_USE}
)


def trace_level(code: int) -> Level:
    """Return the most urgent level a trace can have, to be asked before its text is made."""
    return Level.TRACE if code in _CHATTER else Level.ERROR


def describe_trace(code: int, values: Sequence[int]) -> list[Message]:
    """Return the lines for a trace; a code without words is printed as it is."""
    try:
        return _TEXTS[TraceCode(code)](values)
    except (KeyError, ValueError, IndexError):
        return [_totem(Level.DEBUG, f"trace {code} {tuple(values)}")]


def ring_id_text(ring_id: RingId) -> str:
    """Return a ring id as Corosync prints it: node id in decimal, sequence in hexadecimal."""
    return f"{ring_id.rep}.{ring_id.seq:x}"


def new_membership(ring_id: RingId, joined: Sequence[int], left: Sequence[int]) -> Message:
    """Return the line that announces a new ring."""
    joined_text = f" joined:{_nodeids(joined)}" if joined else ""
    left_text = f" left:{_nodeids(left)}" if left else ""
    return _totem(
        Level.NOTICE,
        f"A new membership ({ring_id_text(ring_id)}) was formed. Members{joined_text}{left_text}",
    )


def member_moved(how: str, addresses: Sequence[str]) -> Message:
    """
    Return the line for one member that came or went.

    :param how: ``joined`` or ``left``.
    :param addresses: its own, by link; none where they are not known.
    """
    where = "".join(f"r({link}) ip({address}) " for link, address in enumerate(addresses))
    text = f"Member {how}: {where or 'no interface found for nodeid'}"
    return Message("MAIN", Level.DEBUG, text)


def waiting_trans_ack(*, waits: bool) -> Message:
    """Return the line for messages that begin to wait for synchronization, or do no more."""
    return _totem(Level.DEBUG, f"waiting_trans_ack changed to {int(waits)}")


def primary_component(quorate: bool) -> Message:
    """Return the line that announces that quorum was won or lost."""
    if quorate:
        text = "This node is within the primary component and will provide service."
    else:
        text = "This node is within the non-primary component and will NOT provide any services."
    return Message("QUORUM", Level.NOTICE, text)


def view_list(kind: str, nodeids: Sequence[int]) -> list[Message]:
    r"""
    Return the lines for a list of members, broken as Corosync breaks them with a ``\`` at the end.

    :param kind: ``Members``, ``Sync members``, ``Sync joined`` or ``Sync left``.
    """
    lines = [""]
    for nodeid in nodeids:
        word = f" {nodeid}"
        if len(lines[-1]) + len(word) > _QUORUM_LINE_LEN_CHARS_MAX:
            lines[-1] += "\\"
            lines.append("")
        lines[-1] += word
    return [Message("QUORUM", Level.NOTICE, f"{kind}[{len(nodeids)}]:{line}") for line in lines]


SYNC_COMPLETED: Final = Message(
    "MAIN", Level.NOTICE, "Completed service synchronization, ready to provide service."
)
