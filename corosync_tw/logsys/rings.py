"""
What happens to redundant rings, in 1.x's words, each with its evidence.

Source: corosync 1.4.10 exec/totemrrp.c.
"""

from typing import Final, NamedTuple

from corosync_tw.corotypes import MS_PER_S, NS_PER_MS
from corosync_tw.logsys.levels import Level
from corosync_tw.logsys.traces import Message
from corosync_tw.totem.links import (
    LinkEvent,
    LinkEventKind,
    LinkFaultCause,
    LinkRecoveryCause,
    ProbeFault,
)

_REFUSALS: Final = {
    ProbeFault.MALFORMED: "it is malformed: another program sends to our port, or another version",
    ProbeFault.WRONG_NETWORK: (
        "it is about another ring: two rings share a network, or one node has its rings the other"
        " way round; compare the ringX_addr of all nodes"
    ),
    ProbeFault.UNAUTHENTICATED: (
        "its tag is wrong: somebody forges it, or totem.keyfile is another one there; compare that"
        " on all nodes"
    ),
    ProbeFault.STALE: "it was played back, or nobody has sent it: somebody may forge it",
    ProbeFault.STRANGER: "its sender is not in our ring",
    ProbeFault.REFLECTED: "it is our own: the network sends back what we send",
}


class Said(NamedTuple):
    """
    What is to be said of an event.

    :ivar messages: for the log, the evidence last.
    :ivar trouble: to be said once in a while only; empty for nothing.
    :ivar kind: what kinds of trouble are told apart by.
    """

    messages: tuple[Message, ...] = ()
    trouble: str = ""
    kind: str = ""


def active_status(number: int) -> str:
    """Give the status of a ring that works."""
    return f"ring {number} active with no faults"


def describe_ring(event: LinkEvent, address: str) -> Said:
    """
    Say what an event means.

    :param address: ours on that ring.
    """
    match event.kind:
        case LinkEventKind.FAULTY:
            head = f"Marking ringid {event.link} interface {address} FAULTY"
            evidence = f"ring {event.link}: {_fault(event)}"
            return Said((_totem(Level.ERROR, head), _totem(Level.NOTICE, evidence)))
        case LinkEventKind.RECOVERED:
            return _recovered(event)
        case LinkEventKind.ALL_FAULTY:
            text = (
                f"All {event.values[0]} rings are faulty and all are used: look for what they"
                " share, such as a switch, or this node's load"
            )
            return Said(trouble=text, kind="all rings faulty")
        case LinkEventKind.PROBE_REFUSED:
            kind = f"test of ring {event.link} refused {event.values[0]}"
            return Said(trouble=_refused(event), kind=kind)
        case _:
            return Said()


def _totem(level: Level, text: str) -> Message:
    return Message("TOTEM", level, text)


def _fault(event: LinkEvent) -> str:
    cause, count, best, threshold = event.values
    match cause:
        case LinkFaultCause.TOKENS_MISSING:
            return f"{count} times a token came by the other rings only (threshold {threshold})"
        case LinkFaultCause.TOKENS_LAG:
            what = "tokens"
        case _:
            what = f"messages of node {event.nodeid}"
    return f"{count} {what} fewer than by the best ring, which had {best} (threshold {threshold})"


def _recovered(event: LinkEvent) -> Said:
    cause, clean, faulty_ns, hold_ns = event.values
    match cause:
        case LinkRecoveryCause.FORCED:
            head = f"Ring {event.link} is used again by order of an administrator"
            why = "its tests were not waited for"
        case LinkRecoveryCause.TESTED:
            head = f"Automatically recovered ring {event.link}"
            why = f"{clean} tests in a row were clean"
        case _:
            head = f"Automatically recovered ring {event.link}"
            why = f"the tests of node {event.nodeid} were clean"
    evidence = f"ring {event.link}: was faulty for {faulty_ns / NS_PER_MS / MS_PER_S:.1f} s, {why}"
    if hold_ns:
        hold_s = hold_ns / NS_PER_MS / MS_PER_S
        evidence += f"; the next fault within a while keeps it out for {hold_s:g} s at least"
    return Said((_totem(Level.NOTICE, head), _totem(Level.NOTICE, evidence)))


def _refused(event: LinkEvent) -> str:
    fault, _, found, expected = event.values
    who = f"node {event.nodeid}" if event.nodeid else "somebody"
    said = f"A test of ring {event.link} from {who} is not believed, {_REFUSALS[ProbeFault(fault)]}"
    if fault == ProbeFault.WRONG_NETWORK:
        return f"{said} (it came by ring {expected} and says that it is of ring {found})"
    if fault == ProbeFault.STALE:
        return f"{said} (generation {found}, the last one known is {expected})"
    return said
