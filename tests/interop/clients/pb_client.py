"""
The order client for nodes of ours: what order_client.c does, over Perspective Broker.

pb_client.py SOCKET GROUP COUNT RATE MEMBERS OUT
"""

import os
import random
import struct
import sys
import time
import zlib
from collections.abc import Iterator

from twisted.internet import fdesc, task
from twisted.internet.abstract import FileDescriptor
from twisted.internet.defer import Deferred

from corosync_tw.client.errors import NoDaemon
from corosync_tw.client.node import connect
from corosync_tw.errors import CsAccess, CsError, CsTryAgain

MAGIC = 0x43544931
HEADER = struct.Struct("<6I")
TURN_S = 0.01
CONNECT_WITHIN_S = 90.0


def body_len(counter, r):
    """Of 200 messages 160 are small, 31 take up to 4 frames, 8 have 10 kB, one has 60 kB."""
    kind = counter % 200
    if kind == 199:
        return 60000 + r % 5000
    if kind % 25 == 24:
        return 8000 + r % 4000
    if kind % 5 == 4:
        return 1000 + r % 3000
    return r % 400


def numbered(nodeid: int, pid: int, first: int, last: int) -> Iterator[bytes]:
    """Make the messages with these counters."""
    for counter in range(first, last + 1):
        source = random.Random(nodeid * 1_000_003 + counter)
        body = source.randbytes(body_len(counter, source.getrandbits(30)))
        yield HEADER.pack(MAGIC, nodeid, pid, counter, len(body), zlib.crc32(body)) + body


class StdinEnd(FileDescriptor):
    """Fires ``ended`` when standard input ends."""

    def __init__(self, reactor):
        super().__init__(reactor)
        self.ended = Deferred()
        fdesc.setNonBlocking(0)
        self.startReading()

    def fileno(self):
        return 0

    def doRead(self):
        if not os.read(0, 256):
            self.connectionLost(None)

    def connectionLost(self, _reason):
        """The reactor calls this when the other end of the pipe is closed."""
        self.stopReading()
        if not self.ended.called:
            self.ended.callback(None)


class OrderClient:
    """One stay in the group; writes what it hears."""

    def __init__(self, reactor, out):
        self._reactor = reactor
        self._out = out
        self._members = 0
        self._sent = 0
        self._running = True

    async def run(self, socket, group, count, rate, members):
        """Do it all; give the exit status."""
        try:
            node = await self._connected(socket)
            lost = node.when_lost()
            cpg = node.cpg()
            await cpg.join(group, self._deliver, self._change)
            sending = Deferred.fromCoroutine(self._send(node, cpg, count, rate, members))
            sending.addErrback(lambda _: None)
            ended = StdinEnd(self._reactor).ended
            await _first(ended, lost)
            self._running = False
            if lost.called:
                return self._gone("connection lost")
            self._out.write(f"S {self._sent}\n")
            await cpg.leave()
            await node.disconnect()
        except CsError as fault:
            return self._gone(repr(fault))
        return 0

    def _gone(self, why):
        self._out.write(f"X {why}\nS {self._sent}\n")
        return 3

    async def _connected(self, socket):
        deadline = time.monotonic() + CONNECT_WITHIN_S
        while True:
            try:
                return await connect(self._reactor, socket)
            except (NoDaemon, CsTryAgain, CsAccess):
                if time.monotonic() > deadline:
                    raise
                await task.deferLater(self._reactor, TURN_S)

    async def _send(self, node, cpg, count, rate, members):
        while self._members < members:
            await task.deferLater(self._reactor, TURN_S)
        started = time.monotonic()
        while self._running and self._sent < count:
            due = min(count, int((time.monotonic() - started) * rate)) if rate else count
            if due > self._sent:
                messages = numbered(node.nodeid, node.pid, self._sent + 1, due)
                self._sent += await cpg.mcast_many(messages)
            else:
                await task.deferLater(self._reactor, TURN_S)

    def _deliver(self, messages):
        lines = []
        for message in messages:
            data = bytes(message.data)
            magic, nodeid, pid, counter, len_bytes, crc = HEADER.unpack_from(data)
            body = data[HEADER.size :]
            sound = (MAGIC, message.nodeid, message.pid, len(body), zlib.crc32(body))
            if sound == (magic, nodeid, pid, len_bytes, crc):
                lines.append(f"D {nodeid} {pid} {counter} {crc:08x} {len_bytes}\n")
            else:
                lines.append(f"B damaged message {counter} from {message.nodeid}:{message.pid}\n")
        self._out.write("".join(lines))
        self._out.flush()

    def _change(self, members, left, joined):
        self._members = len(members)
        words = [
            ",".join(f"{m.nodeid}:{m.pid}" for m in part) or "-" for part in (members, left, joined)
        ]
        self._out.write(f"C {' '.join(words)}\n")
        self._out.flush()


def _first(*deferreds):
    """Fire when one of them does."""
    either = Deferred()

    def fired(value):
        if not either.called:
            either.callback(None)
        return value

    for deferred in deferreds:
        deferred.addCallback(fired)
    return either


def main(reactor, *arguments):
    """Run under task.react."""
    socket, group, count, rate, members, path = arguments

    async def tool():
        with open(path, "w") as out:
            status = await OrderClient(reactor, out).run(
                socket, group.encode(), int(count), int(rate), int(members)
            )
        if status:
            raise SystemExit(status)

    return Deferred.fromCoroutine(tool())


if __name__ == "__main__":
    task.react(main, sys.argv[1:])
