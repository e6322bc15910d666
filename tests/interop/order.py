"""
What clients of one group were delivered, compared: order, loss, duplicates, virtual synchrony.
"""

import itertools
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

# Messages of one sender that fit the packets of one visit of the token.
STRADDLING_MAX = 60


class Message(NamedTuple):
    """Identity of one message, equal wherever it is delivered."""

    nodeid: int
    pid: int
    counter: int
    crc: str
    len_bytes: int


Event = Message | tuple[str, ...]


@dataclass
class ClientLog:
    """
    One client's file.

    :ivar events: as delivered: messages, and configuration changes ("C", members, left, joined).
    :ivar sent: messages its daemon took; None when the client was killed.
    """

    label: str
    events: list[Event] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    sent: int | None = None
    disconnected: bool = False

    @classmethod
    def parse(cls, label: str, lines: Iterable[str]) -> "ClientLog":
        log = cls(label)
        for line in lines:
            words = line.split()
            match words[0]:
                case "D":
                    log.events.append(
                        Message(
                            int(words[1]), int(words[2]), int(words[3]), words[4], int(words[5])
                        )
                    )
                case "C":
                    log.events.append(tuple(words))
                case "S":
                    log.sent = int(words[1])
                case "X":
                    log.disconnected = True
                case _:
                    log.damaged.append(line)
        return log

    def messages(self) -> list[Message]:
        return [event for event in self.events if isinstance(event, Message)]

    def own_nodeids(self) -> set[int]:
        """The node the client runs on: it joined in the first configuration change."""
        first = next((event for event in self.events if not isinstance(event, Message)), None)
        return {int(first[3].split(",")[0].split(":")[0])} if first else set()

    def since_members(self, count: int) -> list[Event]:
        """Events after the last change that made the group ``count`` members strong."""
        start = 0
        for index, event in enumerate(self.events):
            if not isinstance(event, Message) and len(event[1].split(",")) == count:
                start = index + 1
        return self.events[start:]


def check_sound(log: ClientLog) -> None:
    """No message damaged, none twice, each sender's counters rising."""
    assert not log.damaged, f"{log.label}: {log.damaged[:5]}"
    messages = log.messages()
    assert len(set(messages)) == len(messages), f"{log.label}: a message was delivered twice"
    last: dict[tuple[int, int], int] = {}
    for message in messages:
        sender = (message.nodeid, message.pid)
        assert message.counter > last.get(sender, 0), (
            f"{log.label}: {message} after counter {last[sender]}"
        )
        last[sender] = message.counter


def check_same(logs: Sequence[ClientLog], members: int) -> None:
    """Equal events, changes included, since the group was first ``members`` strong on each."""
    reference = _since_first_full(logs[0], members)
    for log in logs[1:]:
        _check_equal(logs[0].label, reference, log.label, _since_first_full(log, members))


def check_same_tail(
    returned: ClientLog,
    stayed: ClientLog,
    members: int,
    straddling_max: int = STRADDLING_MAX,
) -> None:
    """
    Equal events since the group was last made ``members`` strong: one came (back), one stayed.

    A sender's message may begin in the old ring and end in the new one. Totempg then delivers it to
    those who have its beginning, and a newcomer takes that sender up again at its next packet that
    begins a message: of each sender's first messages it may lack a few, or all that are left.

    :param straddling_max: how many; as many as fit the packets of one visit of the token.
    """
    came = returned.since_members(members)
    first: dict[int, int] = {}
    for event in came:
        if isinstance(event, Message):
            first.setdefault(event.nodeid, event.counter)
    kept: list[Event] = []
    lacking: dict[int, int] = {}
    for event in stayed.since_members(members):
        if (
            isinstance(event, Message)
            and event.counter < first.get(event.nodeid, sys.maxsize)
            and event.nodeid not in returned.own_nodeids()
        ):
            lacking[event.nodeid] = lacking.get(event.nodeid, 0) + 1
        else:
            kept.append(event)
    assert all(count <= straddling_max for count in lacking.values()), (
        f"{returned.label} lacks {lacking} messages by nodeid"
    )
    _check_equal(stayed.label, kept, returned.label, came)


def _check_equal(
    first_label: str, first: list[Event], second_label: str, second: list[Event]
) -> None:
    """
    Compare the messages, each with the group's members at its delivery.

    Between two messages the changes may differ: one member of a ring can install it just before it
    ends, another not, and then each sees the other leave and come back at once.
    """
    ones, others = _views(first), _views(second)
    for index, (one, other) in enumerate(zip(ones, others, strict=False)):
        assert one == other, f"event {index}: {first_label} saw {one}, {second_label} saw {other}"
    assert len(ones) == len(others), (
        f"{first_label} saw {len(ones)} events, {second_label} {len(others)}"
    )


def _views(events: list[Event]) -> list[tuple[Event | str, str]]:
    """Pair each message with the members it was delivered among; last come the final members."""
    members = "as at first"
    views: list[tuple[Event | str, str]] = []
    for event in events:
        if isinstance(event, Message):
            views.append((event, members))
        else:
            members = ",".join(sorted(event[1].split(",")))
    views.append(("the end", members))
    return views


def _since_first_full(log: ClientLog, members: int) -> list[Event]:
    for index, event in enumerate(log.events):
        if not isinstance(event, Message) and len(event[1].split(",")) == members:
            return log.events[index:]
    raise AssertionError(f"{log.label} never saw {members} members")


def check_none_lost(senders: Sequence[ClientLog], receivers: Sequence[ClientLog]) -> None:
    """Every message that a sender's daemon took reached every receiver; all stayed."""
    for sender, nodeid_pid in ((log, _identity(log)) for log in senders):
        assert sender.sent is not None, f"{sender.label} did not finish"
        wanted = list(range(1, sender.sent + 1))
        for receiver in receivers:
            got = [m.counter for m in receiver.messages() if (m.nodeid, m.pid) == nodeid_pid]
            missing = sorted(set(wanted) - set(got))
            assert got == wanted, (
                f"{receiver.label} lacks {len(missing)} messages of {sender.label}: {missing[:5]}"
            )


def _identity(log: ClientLog) -> tuple[int, int]:
    """Node and pid of a client: who joined in its first configuration change."""
    first = next(event for event in log.events if not isinstance(event, Message))
    nodeid, pid = first[3].split(",")[0].split(":")
    return int(nodeid), int(pid)


def check_acyclic(logs: Sequence[ClientLog]) -> None:
    """One global order exists that every log, whole or cut short, agrees with."""
    sorter: TopologicalSorter[Message] = TopologicalSorter()
    for log in logs:
        messages = log.messages()
        for earlier, later in itertools.pairwise(messages):
            sorter.add(later, earlier)
    try:
        sorter.prepare()
    except CycleError as error:
        raise AssertionError(f"no global order: {error.args[1][:6]}") from None


def check_strangers(log: ClientLog, reference: ClientLog, own_nodeids: set[int]) -> None:
    """What a node that went away delivered beyond the others' history is its own side's alone."""
    known = set(reference.messages())
    foreign = [m for m in log.messages() if m not in known and m.nodeid not in own_nodeids]
    assert not foreign, f"{log.label} delivered what {reference.label} never did: {foreign[:3]}"


def check_overlap(one: ClientLog, other: ClientLog) -> None:
    """
    Equal messages, and an equal group at each, from the first that both were delivered to the last.

    A newcomer may lack messages that began before it (see ``check_same_tail``). A daemon that was
    killed may have delivered messages of its own node that nobody else ever got.
    """
    common = set(one.messages()) & set(other.messages())
    if not common:
        return
    first, second = _stretch(one, other, common), _stretch(other, one, common)
    if one.disconnected or other.disconnected:
        first = [(message, "") for message, _ in first]
        second = [(message, "") for message, _ in second]
    for index, (left, right) in enumerate(itertools.zip_longest(first, second)):
        assert left == right, (
            f"common message {index}: {one.label} saw {left}, {other.label} saw {right}"
        )


def _stretch(
    log: ClientLog, other: ClientLog, common: set[Message]
) -> list[tuple[Event | str, str]]:
    """Take the views of the stretch that two logs share, less what the other may lack."""
    views = [view for view in _views(log.events) if isinstance(view[0], Message)]
    places = [index for index, (message, _) in enumerate(views) if message in common]
    begun: dict[tuple[int, int], int] = {}
    for message in other.messages():
        begun.setdefault((message.nodeid, message.pid), message.counter)
    own = log.own_nodeids() if log.disconnected else set()
    kept = []
    lacking: dict[int, int] = {}
    for message, members in views[places[0] : places[-1] + 1]:
        assert isinstance(message, Message)
        before = message.counter < begun.get((message.nodeid, message.pid), 0)
        if message in common:
            kept.append((message, members))
        elif before:
            lacking[message.nodeid] = lacking.get(message.nodeid, 0) + 1
        elif message.nodeid not in own:
            kept.append((message, members))
    assert all(count <= STRADDLING_MAX for count in lacking.values()), (
        f"{other.label} lacks {lacking} messages by nodeid that {log.label} has"
    )
    return kept
