"""Hostile bytes: they end their own connection, cost little, and nobody else notices."""

import random

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.spread.banana import LIST, STRING, encode

from corosync_tw.ipc.pb import server as server_module
from corosync_tw.ipc.pb import session as session_module
from tests.unit.ipc.serving import Bed, Heard, turns


class Raw(Protocol):
    """A connection that writes what it likes."""

    def __init__(self):
        self.ended = Deferred()
        self.received = b""

    def dataReceived(self, data):
        self.received += data

    def connectionLost(self, reason):
        self.ended.callback(None)


async def raw(bed):
    return await UNIXClientEndpoint(reactor, bed.path).connect(Factory.forProtocol(Raw))


def call(method, *args, request=1):
    """Encode a call as a stock client would."""
    return encode([b"message", request, b"root", method, 1, [b"tuple", *args], [b"dictionary"]])


HELLO = encode(b"pb") + encode([b"version", 6])
INSTANCE = [b"corosync_tw.errors.CsError", [b"dictionary"]]

BAD = {
    "noise": b"\xff" * 100,
    "no dialect": encode(b"none of yours"),
    "list as dialect": encode([[[]]]),
    "endless prefix": b"\1" * 100,
    "huge list": b"\x7f\x7f\x7f\x7f" + LIST,
    "huge string": b"\x7f\x7f\x7f\x7f" + STRING,
    "deep nesting": HELLO + (b"\1" + LIST) * 50_000,
    "too much of a stranger": HELLO + encode([b"message", *[b"x" * 100] * 100]),
    "empty list": HELLO + encode([]),
    "a number": HELLO + encode(5),
    "another version": encode(b"pb") + encode([b"version", 99]),
    "unknown command": HELLO + encode([b"reboot"]),
    "decref of nothing": HELLO + encode([b"decref", 3]),
    "cache message": HELLO + encode([b"cachemessage", 1, b"root", b"hello", 1, [], []]),
    "message too short": HELLO + encode([b"message", 1]),
    "another object": HELLO + encode([b"message", 1, 17, b"hello", 1, [b"tuple"], [b"dictionary"]]),
    "answer to nothing": HELLO + encode([b"answer", 12, 5]),
    "error to nothing": HELLO + encode([b"error", 12, 5]),
    "instance": HELLO + call(b"hello", INSTANCE),
    "class": HELLO + call(b"hello", [b"class", b"os.system"]),
    "function": HELLO + call(b"hello", [b"function", b"os.system"]),
    "module": HELLO + call(b"hello", [b"module", b"os"]),
    "remote reference": HELLO + call(b"hello", [b"remote", 5]),
    "self reference": HELLO + call(b"hello", [b"reference", 1, [b"list", [b"dereference", 1]]]),
    "failure": HELLO + call(b"hello", [b"twisted.spread.pb.CopyableFailure", [b"dictionary"]]),
    "not text": HELLO + call(b"hello", [b"unicode", b"\xff\xfe"]),
    "method not ascii": HELLO + call(b"\xc3\xa9"),
    "keywords": HELLO
    + encode(
        [b"message", 1, b"root", b"hello", 1, [b"tuple"], [b"dictionary", [[b"unicode", b"a"], 1]]]
    ),
}


@pytest.mark.parametrize("data", BAD.values(), ids=BAD.keys())
@pytest_twisted.ensureDeferred
async def test_bad_bytes_end_their_connection_alone(tmp_path, data):
    async with Bed(tmp_path) as bed:
        heard = Heard()
        cpg = (await bed.client()).cpg()
        await cpg.join(b"room", heard.on_deliver)
        attacker = await raw(bed)
        attacker.transport.write(data)
        await attacker.ended
        await cpg.mcast(b"unharmed")
        await heard.count(messages=1)
        assert len(bed.server.brokers) == 1


@pytest_twisted.ensureDeferred
async def test_mutated_calls_never_harm_others(tmp_path):
    generator = random.Random(20260722)
    good = [
        HELLO + call(b"hello", 1, 1),
        HELLO + call(b"status"),
        HELLO + call(b"cpg_join", b"room"),
        HELLO + encode([b"answer", 1, [b"list", 1, [b"None"]]]),
    ]
    async with Bed(tmp_path) as bed:
        client = await bed.client()
        for _ in range(150):
            data = bytearray(generator.choice(good))
            for _ in range(generator.randint(1, 4)):
                data[generator.randrange(len(data))] = generator.randrange(256)
            attacker = await raw(bed)
            attacker.transport.write(bytes(data))
            attacker.transport.loseConnection()
            await attacker.ended
        assert (await client.status())["nodeid"] == 7


@pytest_twisted.ensureDeferred
async def test_who_says_nothing_is_cut_off(tmp_path, monkeypatch):
    monkeypatch.setattr(session_module, "HELLO_TIMEOUT_S", 0.01)
    async with Bed(tmp_path) as bed:
        silent = await raw(bed)
        await silent.ended
        assert not bed.server.brokers


@pytest_twisted.ensureDeferred
async def test_connections_are_limited(tmp_path, monkeypatch):
    monkeypatch.setattr(server_module, "CONNECTIONS_MAX", 2)
    async with Bed(tmp_path) as bed:
        await bed.client()
        second = await bed.client()
        third = await raw(bed)
        await third.ended
        await second.disconnect()
        bed.clients.remove(second)
        await bed.client()


@pytest_twisted.ensureDeferred
async def test_a_stock_perspective_broker_client_is_served(tmp_path):
    from twisted.spread import pb

    async with Bed(tmp_path) as bed:
        factory = pb.PBClientFactory()
        port = reactor.connectUNIX(bed.path, factory)
        root = await factory.getRootObject()
        assert (await root.callRemote("hello", 1, 77))[0] == 1
        assert (await root.callRemote("status"))[1]["nodeid"] == 7
        assert (await root.callRemote("reboot"))[0] == 19
        gone = Deferred()
        root.notifyOnDisconnect(lambda _: gone.callback(None))
        port.disconnect()
        await gone


@pytest_twisted.ensureDeferred
async def test_who_asks_and_never_reads_is_asked_to_wait(tmp_path):
    async with Bed(tmp_path) as bed:
        asked = []
        answer = bed.node.status()

        def status():
            asked.append(1)
            return answer | {"filler": b"x" * 10_000}

        bed.node.status = status
        deaf = await raw(bed)
        deaf.transport.write(HELLO + call(b"hello", 1, 1))
        while b"nodeid" not in deaf.received:
            await turns(1)
        deaf.transport.pauseProducing()
        deaf.transport.write(call(b"status") * 5000)
        await turns(300)
        # What one read of the socket brought is still answered.
        assert 0 < len(asked) < 2500
        innocent = await bed.client()
        assert (await innocent.status())["nodeid"] == 7
        deaf.transport.abortConnection()
