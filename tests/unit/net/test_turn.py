from twisted.internet.task import Clock

from corosync_tw.net.batchsocket import SourceFilter
from corosync_tw.net.moderation import BUSY_FRAMES_MIN, READ_INTERVAL_S
from corosync_tw.net.stats import TransportStats
from corosync_tw.net.turn import TOKEN_HELD_TURNS_MAX, Turn
from tests.unit.net.net_support import Inbox, frame

MESSAGE, TOKEN = frame(1, b"message"), frame(0, b"token")


class Scripted:
    """A socket that receives what it was told to, one item a turn."""

    def __init__(self, *turns):
        self.turns = list(turns)
        self.watcher = None

    def watch(self, watcher):
        self.watcher = watcher

    def unwatch(self):
        self.watcher = None

    def receive(self, _filter, messages, tokens):
        frames, emptied = self.turns.pop(0) if self.turns else ([], True)
        for item in frames:
            (tokens if item[3] == 0 else messages).append(item)
        return emptied


def turn_of(token_sockets, message_sockets):
    inbox = Inbox()
    return inbox, Turn(inbox, token_sockets, message_sockets, SourceFilter(), TransportStats())


def test_all_sockets_make_one_batch_messages_first():
    tokens, messages = Scripted(([TOKEN], True)), Scripted(([MESSAGE, MESSAGE], True))
    inbox, turn = turn_of([tokens], [messages])
    tokens.watcher()
    assert inbox.batches == [[MESSAGE, MESSAGE, TOKEN]]
    turn.drain()
    assert len(inbox.batches) == 1, "an empty turn is no batch"


def test_a_token_waits_while_more_messages_are_to_be_read():
    messages = Scripted(([MESSAGE], False), ([MESSAGE], False), ([], True))
    inbox, turn = turn_of([Scripted(([TOKEN], True))], [messages])
    for _ in range(3):
        turn.drain()
    assert inbox.batches == [[MESSAGE], [MESSAGE], [TOKEN]]


def test_a_flood_cannot_hold_a_token_for_ever():
    messages = Scripted(*[([MESSAGE], False)] * (TOKEN_HELD_TURNS_MAX + 1))
    inbox, turn = turn_of([Scripted(([TOKEN], True))], [messages])
    for _ in range(TOKEN_HELD_TURNS_MAX):
        turn.drain()
    assert TOKEN not in inbox.frames
    turn.drain()
    assert inbox.batches[-1] == [MESSAGE, TOKEN]


def test_a_single_socket_gives_its_tokens_at_once():
    inbox, turn = turn_of([], [Scripted(([TOKEN, MESSAGE], False))])
    turn.drain()
    assert inbox.batches == [[MESSAGE, TOKEN]]


class Crowd:
    """A message socket that gives a burst each time it is read, and counts how often."""

    def __init__(self, stats):
        self.stats = stats
        self.burst_frames = 0
        self.reads = 0
        self.watcher = None

    def watch(self, watcher):
        self.watcher = watcher

    def unwatch(self):
        self.watcher = None

    def receive(self, _filter, messages, _tokens):
        self.reads += 1
        if self.burst_frames:
            messages.append(MESSAGE)
            self.stats.rx_frames += self.burst_frames
        return True


class ModeratedTurn:
    """A turn whose message socket is moderated, and a token at every visit."""

    def __init__(self):
        self.clock, self.inbox, stats = Clock(), Inbox(), TransportStats()
        self.tokens, self.crowd = Scripted(), Crowd(stats)
        self.turn = Turn(
            self.inbox, [self.tokens], [self.crowd], SourceFilter(), stats, clock=self.clock
        )

    def visit(self):
        self.tokens.turns.append(([TOKEN], True))
        self.tokens.watcher()

    def make_busy(self):
        self.crowd.burst_frames = BUSY_FRAMES_MIN
        self.visit()
        self.visit()
        assert self.crowd.watcher is None
        self.inbox.batches.clear()


def test_few_messages_are_read_as_they_come():
    moderated = ModeratedTurn()
    moderated.crowd.burst_frames = BUSY_FRAMES_MIN - 1
    for _ in range(5):
        moderated.visit()
    assert moderated.crowd.watcher is not None
    assert not moderated.clock.getDelayedCalls()


def test_many_messages_are_read_with_the_token_and_by_the_clock():
    moderated = ModeratedTurn()
    moderated.make_busy()
    reads = moderated.crowd.reads
    moderated.clock.advance(READ_INTERVAL_S)
    assert moderated.crowd.reads == reads + 1
    moderated.visit()
    assert moderated.inbox.batches[-1] == [MESSAGE, TOKEN]
    moderated.clock.advance(READ_INTERVAL_S)
    assert moderated.crowd.watcher is None


def test_moderation_ends_when_no_token_tells_of_a_crowd():
    moderated = ModeratedTurn()
    moderated.make_busy()
    moderated.clock.pump([READ_INTERVAL_S, READ_INTERVAL_S])
    assert moderated.crowd.watcher is not None
    assert not moderated.clock.getDelayedCalls()


def test_a_token_that_may_is_handed_over_before_the_messages_are_read():
    moderated = ModeratedTurn()
    moderated.inbox.lets_overtake = True
    moderated.make_busy()
    moderated.visit()
    assert moderated.inbox.batches == [[TOKEN], [MESSAGE]]


def test_no_token_overtakes_while_sockets_are_watched():
    moderated = ModeratedTurn()
    moderated.inbox.lets_overtake = True
    moderated.crowd.burst_frames = 1
    moderated.visit()
    assert moderated.inbox.batches == [[MESSAGE, TOKEN]]


def test_a_stopped_turn_has_no_calls_left():
    moderated = ModeratedTurn()
    moderated.make_busy()
    moderated.turn.stop()
    assert not moderated.clock.getDelayedCalls()
    moderated.turn.stop()
