import pytest
from twisted.internet.defer import succeed
from twisted.internet.task import Clock
from zope.interface import implementer

from corosync_tw.net.errors import NetError
from corosync_tw.net.interfaces import ILinkReceiver
from corosync_tw.net.linked import LinkedTransport
from corosync_tw.net.stats import TransportStats
from corosync_tw.totem.links import Arrival, LinkEvent, LinkEventKind, LinkSend, PassUp
from corosync_tw.totem.runs import FrameBlob
from tests.unit.net.net_support import frame

MESSAGE, TOKEN = frame(1, b"message"), frame(0, b"token")
MS = 1_000_000


class ScriptedLayer:
    """Gives the effects that a test lays out, and writes down what it is asked."""

    def __init__(self):
        self.calls, self.effects, self.deadline_ns = [], [], None
        self.on_receive = lambda link, arrivals: [PassUp([a.frame for a in arrivals])]
        self.on_advanced = list

    def start(self, now_ns):
        self.calls.append(("start", now_ns))

    def receive(self, link, arrivals, now_ns):
        self.calls.append(("receive", link, [a.frame for a in arrivals]))
        self.effects += self.on_receive(link, arrivals)

    def send_token(self, target, frame, now_ns):
        self.effects.append(LinkSend(0, (target,), [(frame,)], False))

    def send_mcast(self, frames, to_members_only, now_ns):
        self.effects += [LinkSend(link, None, frames, to_members_only) for link in (0, 1)]

    def set_ring_members(self, nodeids):
        self.calls.append(("members", nodeids))

    def ring_advanced(self, now_ns):
        self.calls.append("advanced")
        self.effects += self.on_advanced()

    def advance(self, now_ns):
        self.calls.append(("advance", now_ns))
        self.deadline_ns = None

    def next_deadline(self):
        return self.deadline_ns

    def poll(self):
        effects, self.effects = self.effects, []
        return effects


class Network:
    """A carrier whose sockets hold what a test puts there."""

    def __init__(self, error=None):
        self.error, self.hear, self.sent, self.held = error, None, [], []
        self.members = "unset"

    def start(self, hear):
        if self.error:
            raise self.error
        self.hear = hear

    def drain(self):
        held, self.held = self.held, []
        if held and self.hear:
            self.hear(held)

    def bring(self, *frames):
        """Let the reactor find the sockets readable."""
        self.held += [Arrival(frame, None) for frame in frames]
        self.drain()

    def hold(self, *frames):
        self.held += [Arrival(frame, None) for frame in frames]

    def send(self, frames, targets, to_members_only):
        self.sent.append((list(frames), targets, to_members_only))

    def set_ring_members(self, nodeids):
        self.members = nodeids

    def stop(self):
        self.hear = None
        return succeed(None)


@implementer(ILinkReceiver)
class Bed:
    def __init__(self, *networks):
        self.clock, self.layer = Clock(), ScriptedLayer()
        self.networks = list(networks) or [Network(), Network()]
        self.events, self.failures, self.batches = [], [], []
        self.during = lambda frames: None
        self.transport = LinkedTransport(
            self.clock,
            self.layer,
            dict(enumerate(self.networks)),
            self,
            TransportStats(),
            now_ns=lambda: int(self.clock.seconds() * 1e9),
        )

    def started(self):
        self.transport.start(self)
        return self

    def link_event(self, event):
        self.events.append(event)

    def links_failed(self, failure):
        self.failures.append(failure.value)

    def links_received(self, frames, released):
        self.batches.append(list(frames))
        while more := released():
            self.batches[-1] += ["released", *more]
        self.during(frames)


def test_what_all_networks_hold_makes_one_batch_messages_first():
    bed = Bed().started()
    blob = FrameBlob(memoryview(MESSAGE * 2), len(MESSAGE))
    bed.networks[1].hold(MESSAGE, blob)
    bed.networks[0].bring(TOKEN)
    assert bed.batches == [[MESSAGE, blob, TOKEN]]
    assert bed.layer.calls[1:] == [
        ("receive", 0, [TOKEN]),
        ("receive", 1, [MESSAGE, blob]),
        "advanced",
    ]


def test_a_token_that_the_ring_sets_free_is_handed_over_before_anything_else_is_done():
    bed = Bed().started()
    held = [[PassUp([TOKEN])]]
    bed.layer.on_receive = lambda link, arrivals: [PassUp([MESSAGE])]
    bed.layer.on_advanced = lambda: held.pop() if held else []
    bed.networks[0].bring(MESSAGE, TOKEN)
    assert bed.batches == [[MESSAGE, "released", TOKEN]]
    assert bed.layer.calls.count("advanced") == 2


def test_sends_of_the_ring_go_where_the_layer_says_at_once():
    bed = Bed().started()
    bed.during = lambda frames: bed.transport.send_token(3, TOKEN)
    bed.networks[1].bring(TOKEN)
    assert bed.networks[0].sent == [([(TOKEN,)], (3,), False)]
    bed.transport.send_mcast([(MESSAGE,)], True)
    assert bed.networks[1].sent == [([(MESSAGE,)], None, True)]


def test_what_a_send_passes_up_is_not_fed_to_the_ring_from_within_the_send():
    bed = Bed().started()
    bed.layer.effects.append(PassUp([MESSAGE]))
    bed.transport.send_token(3, TOKEN)
    assert bed.batches == []
    bed.clock.advance(0)
    assert bed.batches == [[MESSAGE]]


def test_events_of_links_are_told_and_members_are_named_everywhere():
    bed = Bed().started()
    event = LinkEvent(LinkEventKind.FAULTY, 1, 0, (2, 0, 10, 10))
    bed.layer.effects.append(event)
    bed.transport.set_ring_members(frozenset({1, 2}))
    assert bed.events == [event]
    assert [network.members for network in bed.networks] == [frozenset({1, 2})] * 2
    assert bed.layer.calls[-1] == ("members", frozenset({1, 2}))


def test_the_deadline_fires_after_what_has_arrived_was_read():
    bed = Bed()
    bed.layer.deadline_ns = 50 * MS
    bed.started()
    bed.clock.advance(0.04)
    bed.networks[1].hold(MESSAGE)
    bed.clock.advance(0.01)
    assert bed.layer.calls[-3:] == [("receive", 1, [MESSAGE]), "advanced", ("advance", 50 * MS)]


def test_a_nearer_deadline_moves_the_one_delayed_call():
    bed = Bed()
    bed.layer.deadline_ns = 50 * MS
    bed.started()
    bed.layer.deadline_ns = 20 * MS
    bed.transport.send_token(2, TOKEN)
    assert len(bed.clock.getDelayedCalls()) == 1
    bed.clock.advance(0.02)
    assert bed.layer.calls[-1] == ("advance", 20 * MS)


def test_a_deadline_that_moved_away_only_arms_the_call_anew():
    bed = Bed()
    bed.layer.deadline_ns = 20 * MS
    bed.started()
    bed.layer.deadline_ns = 50 * MS
    bed.clock.advance(0.03)
    assert ("advance", 30 * MS) not in bed.layer.calls
    bed.clock.advance(0.02)
    assert bed.layer.calls[-1] == ("advance", 50 * MS)


def test_a_network_that_cannot_open_closes_the_others():
    good, bad = Network(), Network(NetError("10.0.0.1", 5405, "taken", "free it"))
    bed = Bed(good, bad)
    with pytest.raises(NetError):
        bed.started()
    assert good.hear is None


def test_a_broken_layer_ends_the_node():
    bed = Bed().started()

    def fail(link, arrivals):
        raise AssertionError("broken")

    bed.layer.on_receive = fail
    bed.networks[0].bring(MESSAGE)
    assert [str(failure) for failure in bed.failures] == ["broken"]


def test_networks_come_and_go_while_it_runs():
    bed = Bed().started()
    third = Network()
    bed.transport.add_carrier(2, third)
    third.bring(MESSAGE)
    assert bed.batches == [[MESSAGE]]
    bed.transport.remove_carrier(2)
    assert third.hear is None
    bed.layer.effects.append(LinkSend(2, None, [(MESSAGE,)], False))
    bed.transport.send_token(1, TOKEN)
    assert third.sent == []


def test_nothing_is_done_after_the_end():
    bed = Bed()
    bed.layer.deadline_ns = 50 * MS
    bed.started()
    hear = bed.networks[0].hear
    bed.transport.stop()
    hear([Arrival(MESSAGE, None)])
    bed.transport.send_token(1, TOKEN)
    bed.transport.drain()
    bed.clock.advance(1)
    assert bed.batches == []
    assert bed.layer.calls == [("start", 0)]
