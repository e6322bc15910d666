from corosync_tw.net.batchsocket import SourceFilter
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
