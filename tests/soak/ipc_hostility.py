"""
Everything a hostile program can do to the server of C clients, one operation at a time, by seed.

The program has the rights of a client that is let in: it connects, speaks, scribbles over what it
shares with the server, cuts it off, floods, falls silent and vanishes. It never waits.
"""

import contextlib
import os
import random
import socket
import struct
from collections import Counter

from tests.unit.ipc.qb.raw_client import ALLOCATED, COMMITTED, DEAD, RawClient, Refused

CLIENTS_MAX = 24
SILENT_MAX = 40
# The operations of one connection before it is replaced, about.
LIFE = 60
LITTER = "qb-control-litter"

# Requests that end a node in good order, or have it read its configuration, are no attack.
SPARED = {"cfg": {2, 3, 4, 7}}
SERVICE_IDS = {"cmap": 10, "cfg": 12, "cpg": 13, "quorum": 5, "votequorum": 12, "echo": 7}
# Lengths that requests have, and their neighbours.
LENGTHS = (0, 1, 8, 24, 136, 144, 152, 255, 256, 264, 272, 280, 288, 600, 4000, 20_000)
INTERESTING = (0, 1, 2, 3, 4, 255, 256, 1 << 16, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFE)


class Hostile:
    """One hostile connection, and what of it may still be touched without harm to us."""

    def __init__(self, service):
        self.service = service
        self.raw = RawClient((b"\0" + service.encode()).ljust(108, b"\0"))
        self.cut = False

    def shake_hands(self, max_msg_size):
        self.raw.sock.setblocking(True)
        self.raw.sock.settimeout(5)
        self.raw.begin(max_msg_size)
        self.raw.sock.recv(1, socket.MSG_PEEK)
        self.raw.finish()
        self.raw.sock.setblocking(False)

    def close(self):
        self.raw.close()
        for ring in self.raw.rings:
            # Views of the maps go with the object.
            ring.sem = 0
        self.raw.rings = ()


class Hostility:
    """
    Performs operations on the services of one server.

    :ivar tally: how often each was performed.
    """

    def __init__(self, seed, services, flags=""):
        self.rng = random.Random(seed)
        self.services = services
        self.tally = Counter()
        self.refused = Counter()
        self.dropped = 0
        self.clients = []
        self.silent = []
        self.operations = [
            (weight, getattr(self, f"do_{name}"), name)
            for name, weight in WEIGHTS.items()
            if not flags or name in flags
        ]
        self.weights = [weight for weight, _, _ in self.operations]

    def step(self):
        """Perform one operation."""
        [(_, operation, name)] = self.rng.choices(self.operations, self.weights)
        self.tally[name] += 1
        if name in ALONE:
            self._alone(operation)
            return
        client = self._client()
        if client is None:
            return
        try:
            operation(client)
        except (BlockingIOError, AssertionError, struct.error):
            return
        except (OSError, IndexError, ValueError):
            # It is gone, or too much of what it needs itself is scribbled over.
            if client in self.clients:
                self._forget(client)
            return
        if client in self.clients and self.rng.random() < 1 / LIFE:
            self._forget(client)

    def close(self):
        for client in tuple(self.clients):
            self._forget(client)
        for sock in self.silent:
            sock.close()
        self.silent.clear()

    def _alone(self, operation):
        with contextlib.suppress(OSError):
            operation()

    def _client(self):
        """Give a connection, often a new one while there are few, never one that was dropped."""
        rng = self.rng
        if self.clients and rng.random() > 1 / (len(self.clients) + 1):
            client = rng.choice(self.clients)
            if rng.random() > 0.05 or not client.raw.hung_up():
                return client
            self.dropped += 1
            self._forget(client)
        if len(self.clients) >= CLIENTS_MAX:
            self._forget(rng.choice(self.clients))
        try:
            client = Hostile(rng.choice(self.services))
        except OSError:
            return None
        try:
            client.shake_hands(rng.choice((12_328, 100_000, 1 << 20)))
        except Refused as refused:
            self.refused[refused.code] += 1
            return None
        except (OSError, AssertionError):
            client.close()
            return None
        self.clients.append(client)
        return client

    def _forget(self, client):
        self.clients.remove(client)
        client.close()

    def _body(self, length):
        rng = self.rng
        kind = rng.randrange(4)
        if kind == 0:
            return rng.randbytes(length)
        if kind == 1:
            return bytes(length)
        words = [rng.choice(INTERESTING) for _ in range(length // 4)]
        return struct.pack(f"={len(words)}I", *words).ljust(length, b"a")

    def _request(self, client):
        rng = self.rng
        spared = SPARED.get(client.service, ())
        while True:
            message_id = rng.choice((rng.randrange(SERVICE_IDS.get(client.service, 20)), 99, -1))
            if message_id not in spared:
                break
        body = self._body(rng.choice(LENGTHS))
        return struct.pack("=i4xi4x", message_id, 16 + len(body)) + body

    def _ring(self, client):
        return self.rng.choice(client.raw.rings)

    # on a connection

    def do_request(self, client):
        if not client.cut:
            client.raw.send_raw(self._request(client))

    def do_burst(self, client):
        if not client.cut:
            for _ in range(self.rng.randrange(200)):
                if not client.raw.send_raw(self._request(client)):
                    break

    def do_read(self, client):
        if not client.cut:
            client.raw.response()
            client.raw.event()

    def do_wrong_size(self, client):
        if not client.cut:
            data = bytearray(self._request(client))
            struct.pack_into("=I", data, 8, self.rng.choice(INTERESTING))
            client.raw.send_raw(bytes(data))

    def do_short(self, client):
        if not client.cut:
            client.raw.send_raw(self.rng.randbytes(self.rng.randrange(16)))

    def do_wrong_chunk(self, client):
        if client.cut or not client.raw.rings:
            return
        rng = self.rng
        client.raw.requests.write(
            self._request(client),
            magic=rng.choice((ALLOCATED, DEAD, COMMITTED, 0)),
            claimed=rng.choice((None, *INTERESTING)),
            post=rng.random() < 0.5,
        )
        if rng.random() < 0.5:
            client.raw.bell()

    def do_bells(self, client):
        client.raw.sock.send(bytes(self.rng.choice((1, 2, 50, 4096, 100_000))))

    def do_positions(self, client):
        if not client.cut and client.raw.rings:
            value = self.rng.choice((self.rng.getrandbits(18), *INTERESTING))
            self._ring(client).set_word(self.rng.randrange(3), value)

    def do_semaphore(self, client):
        if not client.cut and client.raw.rings:
            ring = self._ring(client)
            value = self.rng.choice(INTERESTING) | self.rng.choice(INTERESTING) << 32
            struct.pack_into("=Q", ring.header, 8208, value)

    def do_scribble_header(self, client):
        if not client.cut and client.raw.rings:
            header = self._ring(client).header
            at = self.rng.choice((0, 4, 8, 8204, 8208, 8240, self.rng.randrange(8200)))
            header[at : at + 4] = self.rng.randbytes(4)

    def do_scribble_data(self, client):
        if not client.cut and client.raw.rings:
            data = self._ring(client).data
            at = self.rng.randrange(min(len(data) - 64, self.rng.choice((256, len(data)))))
            data[at : at + 64] = self.rng.randbytes(64)

    def do_cut_off(self, client):
        client.cut = True
        paths = [
            f"{path}{ending}"
            for path in filter(None, client.raw.paths)
            for ending in (("-header", "-data") if client.raw.rings else ("",))
        ]
        path = self.rng.choice(paths)
        os.truncate(path, self.rng.choice((0, 4096, 8192)))
        if self.rng.random() < 0.5:
            client.raw.sock.send(b"a")

    def do_remove(self, client):
        directory = os.path.dirname(client.raw.paths[0])
        for name in os.listdir(directory):
            os.unlink(os.path.join(directory, name))
        if self.rng.random() < 0.5:
            os.rmdir(directory)

    def do_litter(self, client):
        directory = os.path.dirname(client.raw.paths[0])
        path = os.path.join(directory, LITTER)
        if self.rng.random() < 0.5:
            os.symlink("/dev/null", path)
        else:
            with open(path, "wb") as litter:
                litter.write(b"litter")

    def do_descriptors(self, client):
        with open("/dev/null", "rb") as null:
            socket.send_fds(client.raw.sock, [b"a"], [null.fileno()] * 3)

    def do_half_close(self, client):
        client.raw.sock.shutdown(self.rng.choice((socket.SHUT_WR, socket.SHUT_RD)))

    def do_disconnect(self, client):
        if not client.cut:
            client.raw.send(-3)

    def do_vanish(self, client):
        self._forget(client)

    # without one

    def do_silence(self):
        """Connect, say nothing or half, and stay."""
        sock = self._dial()
        sock.send(self.rng.randbytes(self.rng.randrange(1, 24)))
        self.silent.append(sock)
        if len(self.silent) > SILENT_MAX:
            self.silent.pop(self.rng.randrange(len(self.silent))).close()

    def do_knock(self):
        """Connect, say something, and run."""
        sock = self._dial()
        request = struct.pack("=i4xi4xI4x", -1, 24, self.rng.choice((1 << 20, *INTERESTING)))
        sock.send(request[: self.rng.randrange(25)] or b"a")
        sock.close()

    def do_gibberish(self):
        """Send anything at all in place of the connection request."""
        sock = self._dial()
        sock.send(self.rng.randbytes(self.rng.choice((24, 25, 5000))))
        sock.close()

    def do_twice(self):
        """Send the connection request several times over."""
        sock = self._dial()
        sock.send(struct.pack("=i4xi4xI4x", -1, 24, 1 << 20) * self.rng.randrange(2, 5))
        self.silent.append(sock)

    def _dial(self):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.setblocking(False)
        try:
            sock.connect((b"\0" + self.rng.choice(self.services).encode()).ljust(108, b"\0"))
        except OSError:
            sock.close()
            raise
        return sock


WEIGHTS = {
    "request": 40,
    "burst": 3,
    "read": 15,
    "wrong_size": 4,
    "short": 2,
    "wrong_chunk": 4,
    "bells": 3,
    "positions": 5,
    "semaphore": 4,
    "scribble_header": 5,
    "scribble_data": 8,
    "cut_off": 2,
    "remove": 1,
    "litter": 1,
    "descriptors": 1,
    "half_close": 1,
    "disconnect": 1,
    "vanish": 1,
    "silence": 2,
    "knock": 2,
    "gibberish": 1,
    "twice": 1,
}
ALONE = {"silence", "knock", "gibberish", "twice"}
