"""Who connects, on systems that tell it in other ways, or not at all."""

import errno
import os
import socket
import stat
import struct

import pytest
import pytest_twisted
from twisted.internet import reactor

from corosync_tw import features
from corosync_tw.client.node import connect
from corosync_tw.ipc.pb import peercred
from corosync_tw.ipc.pb.peercred import PeerCredentials, peer_credentials, system_tells
from corosync_tw.ipc.qb.handshake import Listener
from tests.unit.ipc.serving import Bed

UID, GID, PID = os.geteuid(), os.getegid(), os.getpid()
LOCAL_PEERCRED = 1


class Socket:
    """
    A socket of another system.

    :ivar answers: records by (level, option).
    """

    family = socket.AF_UNIX

    def __init__(self, answers):
        self.answers = answers

    def getsockopt(self, level, option, size):
        if (level, option) not in self.answers:
            raise OSError(errno.ENOPROTOOPT, "Protocol not available")
        return self.answers[level, option][:size]

    def getHandle(self):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


@pytest.fixture
def system(monkeypatch):
    """Make another system, of sockets that answer so."""

    def make(answers, **names):
        monkeypatch.delattr(socket, "SO_PEERCRED", raising=False)
        for name, number in names.items():
            monkeypatch.setattr(socket, name, number, raising=False)
        monkeypatch.setattr(socket, "socketpair", lambda _: (Socket(answers), Socket(answers)))
        peercred._way.cache_clear()

    yield make
    monkeypatch.undo()
    peercred._way.cache_clear()


@pytest.mark.needs("peer_credentials")
def test_this_system_tells():
    one, other = socket.socketpair()
    with one, other:
        handle = Socket({})
        handle.getHandle = lambda: one
        assert peer_credentials(handle) == PeerCredentials(PID, UID, GID)
    assert system_tells()


def test_a_connection_by_tcp_has_no_credentials():
    handle = Socket({})
    handle.family = socket.AF_INET
    assert peer_credentials(handle) is None


@pytest.mark.needs("peer_credentials")
def test_the_order_of_another_system_is_not_taken_for_ours(system):
    """OpenBSD's record begins with the user: read as Linux's, its pid would be a group."""
    own = {(socket.SOL_SOCKET, 0x1022): struct.pack("IIi", UID, GID, PID)}
    system(own, SO_PEERCRED=0x1022)
    assert system_tells()
    peer = Socket({(socket.SOL_SOCKET, 0x1022): struct.pack("IIi", 1000, 100, 4711)})
    assert peer_credentials(peer) == PeerCredentials(4711, 1000, 100)


@pytest.mark.needs("peer_credentials")
def test_a_system_that_tells_no_pid(system):
    def record(uid, gid):
        return struct.pack("IIhxx16I", 0, uid, 2, gid, 5, *[0] * 14)

    system({(0, LOCAL_PEERCRED): record(UID, GID)}, LOCAL_PEERCRED=LOCAL_PEERCRED)
    peer = Socket({(0, LOCAL_PEERCRED): record(1000, 100)})
    assert peer_credentials(peer) == PeerCredentials(0, 1000, 100)


def test_a_system_that_tells_something_else(system):
    system({(socket.SOL_SOCKET, 17): struct.pack("iII", PID, UID + 1, GID)}, SO_PEERCRED=17)
    assert not system_tells()
    assert peer_credentials(Socket({})) is None


@pytest.mark.parametrize(("off", "mode"), [((), 0o666), (("peer_credentials",), 0o600)])
@pytest_twisted.ensureDeferred
async def test_only_those_may_connect_of_whom_the_system_need_not_tell(
    tmp_path, monkeypatch, off, mode
):
    monkeypatch.setattr(features, "OFF", frozenset(off))
    async with Bed(tmp_path) as bed:
        bed.server._credentials = peer_credentials
        assert stat.S_IMODE(os.stat(bed.path).st_mode) == mode
        client = await connect(reactor, bed.path, pid=4711)
        bed.clients.append(client)
        assert client.pid == (4711 if off else PID)


def test_c_clients_need_a_system_that_tells(monkeypatch):
    monkeypatch.setattr(features, "OFF", frozenset({"peer_credentials"}))
    with pytest.raises(OSError, match="does not tell who connects"):
        Listener(None, "name", None, waiting=None, introduce=None, complaints=None)
