"""A reactor by hand: real descriptors, a clock of its own, and turns when the test says so."""

import select

from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from corosync_tw.timers.interludes import Interludes


class PumpReactor(Clock):
    """What the server needs of a reactor."""

    def __init__(self):
        super().__init__()
        self.interludes = Interludes()
        self.readers = {}
        self.writers = {}

    def addReader(self, reader):
        self.readers[reader] = reader.fileno()

    def addWriter(self, writer):
        self.writers[writer] = writer.fileno()

    def removeReader(self, reader):
        self.readers.pop(reader, None)

    def removeWriter(self, writer):
        self.writers.pop(writer, None)

    def turn(self):
        """Run what is due and serve each ready descriptor once; tell whether anything was."""
        poll = select.poll()
        interest = {}
        for group, mask in ((self.readers, select.POLLIN), (self.writers, select.POLLOUT)):
            for descriptor, fd in group.items():
                interest[fd] = (descriptor, interest.get(fd, (None, 0))[1] | mask)
        for fd, (_, mask) in interest.items():
            poll.register(fd, mask)
        ready = poll.poll(0)
        for fd, events in ready:
            self._serve(interest[fd][0], events)
        due = [call for call in self.getDelayedCalls() if call.getTime() <= self.seconds()]
        self.advance(0)
        return bool(ready or due)

    def _serve(self, descriptor, events):
        if events & select.POLLIN and descriptor in self.readers:
            descriptor.doRead()
        if events & select.POLLOUT and descriptor in self.writers:
            descriptor.doWrite()
        if (
            events & (select.POLLHUP | select.POLLERR | select.POLLNVAL)
            and not events & select.POLLIN
            and (descriptor in self.readers or descriptor in self.writers)
        ):
            self.removeReader(descriptor)
            self.removeWriter(descriptor)
            descriptor.connectionLost(Failure(ConnectionDone()))

    def settle(self, turns_max=10_000):
        """Turn until nothing happens."""
        for _ in range(turns_max):
            if not self.turn():
                return
        raise AssertionError("the reactor never comes to rest")

    def run_ms(self, ms):
        """Let milliseconds pass, one by one."""
        for _ in range(ms):
            self.settle()
            self.advance(0.001)
        self.settle()
