"""
What cpg_bench.c does, over Perspective Broker, many messages a call.

pb_bench.py SOCKET GROUP
"""

import sys
import time

from twisted.internet import task
from twisted.internet.defer import Deferred
from twisted.internet.stdio import StandardIO
from twisted.protocols.basic import LineOnlyReceiver

from corosync_tw.client.errors import NoDaemon
from corosync_tw.client.node import connect
from corosync_tw.errors import CsTryAgain

RETRY_S = 0.02


class Bench(LineOnlyReceiver):
    """Answers one line after the other."""

    delimiter = b"\n"

    def __init__(self, reactor, cpg):
        self._reactor = reactor
        self._cpg = cpg
        self.delivered = 0
        self._awaited = 0
        self._arrived = None
        self._turn = None

    def deliver(self, messages):
        self.delivered += len(messages)
        if self._arrived is not None and self.delivered >= self._awaited:
            arrived, self._arrived = self._arrived, None
            arrived.callback(None)

    async def _until(self, count):
        if self.delivered < count:
            self._awaited, self._arrived = count, Deferred()
            await self._arrived

    def lineReceived(self, line):
        what, size, amount = line.split()
        run = self._flood if what == b"flood" else self._trip
        Deferred.fromCoroutine(run(int(size), float(amount))).addErrback(self._failed)

    def _failed(self, failure):
        failure.printTraceback()
        self._reactor.stop()

    def connectionLost(self, _reason):
        if self._reactor.running:
            self._reactor.stop()

    async def _flood(self, size, seconds):
        body = bytes(size)
        first = sent = self.delivered
        began = time.monotonic()

        def messages():
            nonlocal sent
            while time.monotonic() - began < seconds:
                sent += 1
                yield body

        sending = self._cpg.mcast_many(messages())
        await task.deferLater(self._reactor, seconds)
        got, took = self.delivered - first, time.monotonic() - began
        await sending
        await self._until(sent)
        self.sendLine(f"{got} {took:.4f}".encode())

    async def _trip(self, size, count):
        body = bytes(size)
        took = []
        for _ in range(int(count)):
            wanted = self.delivered + 1
            began = time.monotonic()
            self._cpg.mcast(body)
            await self._until(wanted)
            took.append(time.monotonic() - began)
        took.sort()
        p50, p99 = took[len(took) // 2], took[len(took) * 99 // 100]
        self.sendLine(f"{p50 * 1e6:.1f} {p99 * 1e6:.1f}".encode())


async def start(reactor, socket, group):
    """Connect, join, and listen to standard input."""
    while True:
        try:
            node = await connect(reactor, socket)
            break
        except NoDaemon:
            await task.deferLater(reactor, RETRY_S)
    cpg = node.cpg()
    bench = Bench(reactor, cpg)
    while True:
        try:
            await cpg.join(group.encode(), bench.deliver)
            break
        except CsTryAgain:
            await task.deferLater(reactor, RETRY_S)
    StandardIO(bench)
    await Deferred()


if __name__ == "__main__":
    task.react(lambda reactor: Deferred.fromCoroutine(start(reactor, *sys.argv[1:])))
