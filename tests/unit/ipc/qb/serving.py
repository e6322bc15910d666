"""A server with one scripted service on a reactor by hand, and clients for it."""

import itertools
import shutil
import struct
import tempfile
from pathlib import Path

from corosync_tw.corotypes import CS_OK
from corosync_tw.ipc.qb.server import QbServer
from corosync_tw.services.lib_requests import RESPONSE_HEADER
from tests.unit.ipc.qb.pump import PumpReactor
from tests.unit.ipc.qb.raw_client import RawClient

ECHO, ONEWAY = 1, 2
SERVICE_ID = 2


def request(message_id, body=b""):
    return struct.pack("=i4xi4x", message_id, 16 + len(body)) + body


def event(number, len_bytes=32):
    body = struct.pack("=q", number).ljust(len_bytes - 24, b"e")
    return RESPONSE_HEADER.pack(100, len_bytes, CS_OK), body


class Script:
    """A handler that echoes, and takes no more than ``appetite`` requests."""

    service_id = SERVICE_ID
    socket_name = "echo"

    def __init__(self):
        self.clients = []
        self.gone = []
        self.seen = []
        self.batches = []
        self.appetite = None

    def connected(self, client):
        self.clients.append(client)

    def disconnected(self, client):
        self.gone.append(client)

    def effect_handlers(self):
        return {}

    def requests(self, client, batch):
        self.batches.append(len(batch))
        for number, data in enumerate(batch):
            if self.appetite is not None:
                if not self.appetite:
                    return number
                self.appetite -= 1
            self.seen.append(data)
            if struct.unpack_from("=i", data)[0] == ECHO:
                client.respond(RESPONSE_HEADER.pack(ECHO, len(data) + 8, CS_OK) + data[16:])
        return len(batch)


class Bench:
    """The server, its reactor and its log."""

    def __init__(self, directory, ipc_type="shm", **options):
        self.reactor = PumpReactor()
        self.handler = Script()
        self.log = []
        self.strangers = []
        # Names of sockets are made of this, and are short.
        self.shm = Path(tempfile.mkdtemp(prefix="qbt"))
        force = directory / "force"
        force.touch()
        self.is_ready = True
        self.is_allowed = True
        conns = itertools.count(1)
        self.server = QbServer(
            self.reactor,
            [self.handler],
            ipc_type=ipc_type,
            allowed=lambda uid, gid: self.strangers.append((uid, gid)) or self.is_allowed,
            ready=lambda: self.is_ready,
            new_conn=lambda: next(conns),
            log=lambda level, text: self.log.append((level, text)),
            shm_dir=str(self.shm),
            socket_dir=str(directory),
            force_file=str(force),
            **options,
        )
        self.address = str(directory / "echo")
        self.server.listen()

    def close(self):
        self.server.stop()
        shutil.rmtree(self.shm)

    def dial(self):
        return RawClient(self.address)

    def connect(self, max_msg_size=1 << 20):
        client = self.dial()
        client.begin(max_msg_size)
        self.reactor.settle()
        return client.finish()

    def settle(self):
        self.reactor.settle()

    def ask(self, client, message_id, body=b""):
        """Send, serve, and give the response."""
        assert client.send(message_id, body)
        self.settle()
        return client.response()

    def ours(self):
        """The server's end of the last connection."""
        return self.handler.clients[-1]

    def left_in_shm(self):
        return sorted(path.name for path in self.shm.iterdir())

    def complaints(self):
        return [text for level, text in self.log if level == "warning"]
