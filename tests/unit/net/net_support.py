"""Parts that several tests of the network shell share."""

import select

from twisted.internet.task import Clock
from zope.interface import implementer

from corosync_tw.net.interfaces import IFrameReceiver, INetObserver
from corosync_tw.totem.runs import FrameBlob

# Longer than any loopback delivery takes on a loaded machine; reached only by a failing test.
ARRIVAL_LIMIT_MS = 5000


class FakeReactor(Clock):
    """Remembers who is watched; the test plays the reactor."""

    def __init__(self):
        super().__init__()
        self.readers = []
        self.writers = []

    def addReader(self, reader):
        if reader not in self.readers:
            self.readers.append(reader)

    def addWriter(self, writer):
        if writer not in self.writers:
            self.writers.append(writer)

    def removeReader(self, reader):
        if reader in self.readers:
            self.readers.remove(reader)

    def removeWriter(self, writer):
        if writer in self.writers:
            self.writers.remove(writer)

    def turn(self):
        """Wait until something is readable, then read what is; like one turn of a reactor."""
        poll = select.poll()
        readers = {reader.fileno(): reader for reader in self.readers}
        for descriptor in readers:
            poll.register(descriptor, select.POLLIN)
        ready = poll.poll(ARRIVAL_LIMIT_MS)
        assert ready, "nothing arrived"
        for descriptor, _ in ready:
            reader = readers[descriptor]
            if reader in self.readers:
                reader.doRead()


@implementer(INetObserver)
class Events:
    def __init__(self):
        self.events = []

    def net_event(self, event):
        self.events.append(event)

    def kinds(self):
        return [event.kind for event in self.events]


@implementer(IFrameReceiver)
class Inbox:
    """Keeps every batch as bytes."""

    def __init__(self):
        self.batches = []
        self.lets_overtake = False

    def may_overtake(self, token):
        return self.lets_overtake and token[3] == 0

    def frames_received(self, frames):
        self.batches.append([bytes(frame) for frame in apart(frames)])

    @property
    def frames(self):
        return [frame for batch in self.batches for frame in batch]


def apart(frames):
    """Cut what was received into datagrams."""
    return [
        single
        for received in frames
        for single in (received.frames() if isinstance(received, FrameBlob) else [received])
    ]


def frame(kind, text=b"", nodeid=1):
    """Make a datagram with a sound header of the given type, little endian."""
    header = b"\x70\xc0\x03" + bytes([kind, 0]) + nodeid.to_bytes(4, "little") + bytes(4)
    return header + text
