"""A daemon that is not there is told from one that stands still."""

import pytest
from twisted.internet import defer
from twisted.internet.error import ConnectionDone, DNSLookupError, NoRouteError
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from corosync_tw.client.errors import DaemonSilent, NoDaemon
from corosync_tw.client.node import connect
from corosync_tw.ipc.pb.wire import HELLO_TIMEOUT_S


class Silent:
    """An endpoint behind which nobody says anything."""

    def connect(self, factory):
        broker = factory.buildProtocol(None)
        transport = StringTransport()
        transport.abortConnection = lambda: broker.connectionLost(Failure(ConnectionDone()))
        broker.makeConnection(transport)
        self.transport = transport
        return defer.succeed(broker)


class Failing:
    def __init__(self, fault):
        self.fault = fault

    def connect(self, factory):
        return defer.fail(self.fault)


def fault_of(connecting):
    return connecting.addErrback(lambda failure: failure.value).result


def test_a_daemon_that_says_nothing_stands_still():
    clock = Clock()
    connecting = connect(clock, Silent())
    clock.advance(HELLO_TIMEOUT_S - 0.1)
    assert not connecting.called
    clock.advance(0.1)
    fault = fault_of(connecting)
    assert isinstance(fault, DaemonSilent)
    assert str(fault) == "no answer within 10 s"


def test_a_connection_that_is_closed_at_once_is_no_silence():
    silent = Silent()
    connecting = connect(Clock(), silent)
    silent.transport.abortConnection()
    assert type(fault_of(connecting)) is NoDaemon


@pytest.mark.parametrize(
    ("fault", "words"),
    [(DNSLookupError(), "no such host"), (NoRouteError(113), "No route to host")],
)
def test_what_keeps_from_a_daemon_is_said_in_the_system_s_words(fault, words):
    assert str(fault_of(connect(Clock(), Failing(fault)))) == words
