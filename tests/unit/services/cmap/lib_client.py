"""A client of libcmap without a socket: makes requests as the library does, and reads answers."""

from collections.abc import Sequence
from struct import Struct
from typing import Any, NamedTuple

from corosync_tw.services.cmap.handler import CmapHandler
from corosync_tw.services.cmap.session import CmapSessions, MapId
from corosync_tw.services.cmap.store import CmapStore
from corosync_tw.services.lib_interfaces import ClientStats

REQUEST = Struct("=i4xi4x")
RESPONSE = Struct("=i4xi4xi4x")
NAME = Struct("=H6x256s")
OK = 1


class Answer(NamedTuple):
    """A response or an event."""

    number: int
    error: int
    body: bytes


class Change(NamedTuple):
    """What an event tells."""

    instance: int
    event: int
    key: str
    new: tuple[int, bytes]
    old: tuple[int, bytes]


class Client:
    """LibClient that keeps what it is sent."""

    def __init__(self, conn: int) -> None:
        self.conn = conn
        self.pid = self.uid = self.gid = 0
        self.procname = ""
        self.stats = ClientStats()
        self.responses: list[Answer] = []
        self.events: list[Answer] = []

    def respond(self, response: bytes) -> None:
        self.responses.append(split(response))

    def event(self, slices: Sequence[Any]) -> None:
        self.events.append(split(b"".join(slices)))

    def close(self) -> None:
        raise AssertionError("nobody closes this client")


def split(message: bytes) -> Answer:
    number, size, error = RESPONSE.unpack_from(message)
    assert size == len(message)
    return Answer(number, error, message[RESPONSE.size :])


class Served:
    """A handler over two maps, and its clients."""

    def __init__(self) -> None:
        self.icmap, self.stats = CmapStore(), CmapStore()
        self.handler = CmapHandler(
            CmapSessions({MapId.ICMAP: self.icmap, MapId.STATS: self.stats}), self
        )
        self.pumps = 0
        self._conns = 0

    def now_ns(self) -> int:
        return 0

    def pump(self) -> None:
        self.pumps += 1

    def client(self) -> "Library":
        self._conns += 1
        client = Client(self._conns)
        self.handler.connected(client)
        return Library(self.handler, client)


def name(key: str) -> bytes:
    data = key.encode("latin-1")
    return NAME.pack(len(data), data)


class Library:
    """The calls of libcmap that make requests; each gives the error, or the result."""

    def __init__(self, handler: CmapHandler, client: Client) -> None:
        self.handler = handler
        self.client = client

    def ask(self, number: int, body: bytes) -> Answer:
        request = REQUEST.pack(number, REQUEST.size + len(body)) + body
        before = len(self.client.responses)
        assert self.handler.requests(self.client, [request]) == 1
        (answer,) = self.client.responses[before:]
        return answer

    def set(self, key: str, kind: int, value: bytes, value_len: int | None = None) -> int:
        length = len(value) if value_len is None else value_len
        answer = self.ask(0, name(key) + Struct("=QB7x").pack(length, kind) + value)
        assert not answer.body
        return answer.error

    def delete(self, key: str) -> int:
        return self.ask(1, name(key)).error

    def get(self, key: str, room: int = 65536) -> tuple[int, int, bytes] | int:
        answer = self.ask(2, name(key) + Struct("=Q").pack(room))
        if answer.error != OK:
            assert answer.body == bytes(16)
            return answer.error
        value_len, kind = Struct("=QB7x").unpack_from(answer.body)
        return kind, value_len, answer.body[16:]

    def adjust(self, key: str, step: int) -> int:
        return self.ask(3, name(key) + Struct("=i4x").pack(step)).error

    def iter_init(self, prefix: str = "") -> int:
        answer = self.ask(4, name(prefix))
        assert answer.error == OK
        return Struct("=Q").unpack(answer.body)[0]

    def iter_next(self, handle: int) -> tuple[str, int, int] | int:
        answer = self.ask(5, Struct("=Q").pack(handle))
        assert len(answer.body) == 280
        if answer.error != OK:
            return answer.error
        key_len, key, value_len, kind = Struct("=H6x256sQB7x").unpack(answer.body)
        return key[:key_len].decode(), kind, value_len

    def iter_finalize(self, handle: int) -> int:
        return self.ask(6, Struct("=Q").pack(handle)).error

    def keys(self, prefix: str = "") -> list[str]:
        handle = self.iter_init(prefix)
        found = []
        while not isinstance(step := self.iter_next(handle), int):
            found.append(step[0])
        assert step == 27
        assert self.iter_finalize(handle) == OK
        return found

    def track_add(self, key: str, mask: int, instance: int = 7) -> int:
        """Give the handle, or the error as a negative number."""
        answer = self.ask(7, name(key) + Struct("=i4xQ").pack(mask, instance))
        return Struct("=Q").unpack(answer.body)[0] if answer.error == OK else -answer.error

    def track_delete(self, handle: int) -> tuple[int, int]:
        answer = self.ask(8, Struct("=Q").pack(handle))
        return answer.error, Struct("=Q").unpack(answer.body)[0]

    def set_current_map(self, number: int) -> int:
        answer = self.ask(9, Struct("=i4x").pack(number))
        assert answer.number == 10
        return answer.error

    def changes(self) -> list[Change]:
        """Take the events that came since the last time."""
        events, self.client.events = self.client.events, []
        return [change_of(event) for event in events]

    def disconnect(self) -> None:
        self.handler.disconnected(self.client)


def change_of(event: Answer) -> Change:
    assert (event.number, event.error) == (9, OK)
    layout = Struct("=QH6x256si4xB7xB7xQQ")
    instance, key_len, key, kind, new_kind, old_kind, new_len, old_len = layout.unpack_from(
        event.body
    )
    values = event.body[layout.size :]
    assert len(values) == new_len + old_len
    new, old = values[:new_len], values[new_len:]
    return Change(instance, kind, key[:key_len].decode(), (new_kind, new), (old_kind, old))
