"""
What an event is: its code, its name, its fields and its text; ``table`` has all of them.

Writers take codes from here, readers the words, and every file carries the table of the version
that wrote it, so that another version can read it. Codes and names are for ever; new events get
new ones.

A field is written as ``name:kind``. The first four integers of an event are in its slot, more of
them, or its list or text, behind it; an event has one list or text, as its last field. In a text,
``{name}`` is the field in words; ``[...]`` is left out when its fields are 0 or empty, and
``[name=2|...]`` unless that field is 2.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

from corosync_tw.logsys.flight.layout import Lane
from corosync_tw.logsys.levels import Level
from corosync_tw.logsys.settings import SUBSYSTEMS
from corosync_tw.logsys.traces import GATHER_FROM_TEXTS
from corosync_tw.net.crypto.guard import Refused
from corosync_tw.net.knet.stats import Refusal
from corosync_tw.services.exec_wire import ServiceId
from corosync_tw.totem.const import MembState
from corosync_tw.totem.links import LinkFaultCause, LinkRecoveryCause, ProbeFault

# What is added to the number of a TraceCode, or of a LinkEventKind.
TRACES: Final = 0x100
LINKS: Final = 0x200
INTS_IN_SLOT: Final = 4
LISTS: Final = frozenset({"nodes", "seqs"})
TEXT: Final = "text"


class Code(IntEnum):
    """What the daemon itself records; the ring and its links have TRACES and LINKS."""

    NODE_STARTED = 0x301
    NODE_READY = 0x302
    NODE_ENDING = 0x303
    NODE_FAILED = 0x304
    KEPT = 0x305
    RING_INSTALLED = 0x310
    TRANSITIONAL = 0x311
    MEMBERS_JOINED = 0x312
    MEMBERS_LEFT = 0x313
    MEMBER_LEFT = 0x314
    QUORUM_CHANGED = 0x315
    SYNC_DONE = 0x316
    SAMPLE = 0x317
    NODE_SHUT_DOWN = 0x320
    NODE_KILLED = 0x321
    RELOAD_REQUESTED = 0x322
    RELOAD_DONE = 0x323
    DIRECTIVE_SET = 0x324
    CRYPTO_PHASE = 0x325
    SHUTDOWN_DECIDED = 0x326
    CONFIG_VERSION_DIFFERS = 0x327
    LOOP_PAUSED = 0x330
    CLOCK_STEPPED = 0x331
    SUSPENDED = 0x332
    STORAGE_SLOW = 0x333
    STORAGE_FAILED = 0x334
    NET_EVENT = 0x335
    DATAGRAM_REFUSED = 0x336
    CLIENT_CONNECTED = 0x340
    CLIENT_GONE = 0x341
    PROGRAM_CONNECTED = 0x342
    PROGRAM_GONE = 0x343
    LOG = 0x350


class Field(NamedTuple):
    """
    One value of an event.

    :ivar kind: ``number``, ``hex``, ``ms``, ``ns``, ``nodes`` (a list of node ids), ``seqs`` (a
        list of sequence numbers), ``text``, or a name in the words.
    """

    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Event:
    """
    One kind of event.

    :ivar name: for programs; ``text`` is for people.
    :ivar lane: ring that it is written into.
    """

    code: int
    name: str
    subsys: str
    lane: Lane
    fields: tuple[Field, ...]
    text: str


# Words of the kinds that are numbers with a name.
Words = dict[str, dict[int, str]]


def _names(*members: IntEnum) -> dict[int, str]:
    return {int(member): member.name.lower().replace("_", " ") for member in members}


WORDS: Final[Words] = {
    "state": {int(state): state.name for state in MembState},
    "reason": {int(reason): text for reason, text in GATHER_FROM_TEXTS.items()},
    "fault": _names(*LinkFaultCause),
    "recovery": _names(*LinkRecoveryCause),
    "probe": _names(*ProbeFault),
    "refusal": _names(*Refusal),
    "seal": _names(*Refused),
    "service": _names(*ServiceId),
    "level": _names(*Level),
    "subsys": dict(enumerate(SUBSYSTEMS)),
    "yes": {0: "no", 1: "yes"},
}
