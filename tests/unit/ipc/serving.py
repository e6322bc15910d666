"""A Perspective Broker server over an EchoNode on a real UNIX socket, and its clean end."""

from contextlib import contextmanager
from dataclasses import dataclass

from twisted.internet import reactor
from twisted.internet.defer import Deferred

from corosync_tw.client.node import connect
from corosync_tw.daemon.access import Access
from corosync_tw.ipc.pb.peercred import PeerCredentials
from corosync_tw.ipc.pb.server import PbServer
from corosync_tw.services.cmap.store import CmapStore
from tests.unit.ipc.echo_node import EchoNode


@dataclass
class Credentials:
    """What the kernel would say; tests change it."""

    peer: PeerCredentials

    def __call__(self, transport):
        return self.peer


class Bed:
    """
    One server and its clients.

    :ivar credentials: every connection has the next pid, unless a test says otherwise.
    """

    def __init__(self, tmp_path, services=None, hubs=(), **node_options):
        self.path = str(tmp_path / "pb.sock")
        self.node = services or EchoNode(reactor, **node_options)
        self.credentials = Credentials(PeerCredentials(4000, 0, 0))
        self.server = PbServer(reactor, self.node, Access(CmapStore()), self.credentials, hubs)
        self.clients = []

    async def client(self, pid=4000, uid=0, gid=0):
        self.credentials.peer = PeerCredentials(pid, uid, gid)
        node = await connect(reactor, self.path)
        self.clients.append(node)
        return node

    async def __aenter__(self):
        await self.server.listen_unix(self.path)
        return self

    async def __aexit__(self, *_):
        for client in self.clients:
            await client.disconnect()
        await self.server.stop()
        for broker in list(self.server.brokers):
            broker.abort()
        while self.server.brokers:
            await turns(1)


class Heard:
    """Keeps what a group says, and fires when there is enough of it."""

    def __init__(self):
        self.messages = []
        self.changes = []
        self._waiting = []

    def on_deliver(self, messages):
        self.messages += messages
        self._check()

    def on_confchg(self, members, left, joined):
        self.changes.append((members, left, joined))
        self._check()

    def count(self, messages=0, changes=0):
        """Fire when so many messages and changes were heard."""
        enough = Deferred()
        self._waiting.append((messages, changes, enough))
        self._check()
        return enough

    def _check(self):
        for entry in list(self._waiting):
            messages, changes, enough = entry
            if len(self.messages) >= messages and len(self.changes) >= changes:
                self._waiting.remove(entry)
                enough.callback(None)


def turns(count=20):
    """Fire after some turns of the reactor: what was to happen at once has happened."""
    done = Deferred()

    def turn(left):
        if left:
            reactor.callLater(0, turn, left - 1)
        else:
            done.callback(None)

    turn(count)
    return done


@contextmanager
def raises_remote(kind):
    """Expect an error that came over the wire."""
    try:
        yield
    except kind:
        return
    raise AssertionError(f"{kind.__name__} did not come")
