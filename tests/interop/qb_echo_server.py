"""
A QbServer with one small service, ``echo``, for the tests of the server itself.

    python -m tests.interop.qb_echo_server [--type shm|socket] [--allow UID] [--ready-after MS]

prints ``up`` when it listens, every line of its log, and ends on SIGTERM with a line of figures.
"""

import argparse
import itertools
import os
import struct
import sys
from collections import Counter

from twisted.internet import reactor

from corosync_tw.corotypes import CS_OK
from corosync_tw.ipc.qb.server import QbServer
from corosync_tw.services.lib_requests import RESPONSE_HEADER, response

SERVICE_ID = 2
ECHO, ONEWAY, EVENTS, FLOW, COUNT, STALL = range(1, 7)
EVENT_ID = 100
# What one request may ask for: clients are hostile here too.
EVENTS_BYTES_MAX = 80_000_000
WAIT_MS_MAX = 500
PATTERN = bytes((i * 7) & 0xFF for i in range(256))


def pattern(seed, len_bytes):
    """The bytes (seed + 7 i) of the C client."""
    one = bytes((byte + seed) & 0xFF for byte in PATTERN)
    return (one * (len_bytes // 256 + 1))[:len_bytes]


class EchoHandler:
    service_id = SERVICE_ID
    socket_name = "echo"

    def __init__(self):
        self.server = None
        self.oneways = Counter()
        self.sent = Counter()
        self.stalled = self.calm = False
        self.connected_count = self.disconnected_count = 0

    def connected(self, client):
        self.connected_count += 1

    def disconnected(self, client):
        self.disconnected_count += 1

    def effect_handlers(self):
        return {}

    def requests(self, client, batch):
        for number, data in enumerate(batch):
            if self.stalled:
                return number
            self.serve(client, data)
        return len(batch)

    def serve(self, client, data):
        request_id = struct.unpack_from("=i", data)[0]
        if request_id == ONEWAY:
            self.oneways[client.conn] += 1
        elif request_id == ECHO:
            client.respond(RESPONSE_HEADER.pack(ECHO, len(data) + 8, CS_OK) + data[16:])
        elif request_id == COUNT:
            client.respond(response(COUNT, struct.pack("=I", self.oneways[client.conn])))
        elif len(data) >= 24:
            self.serve_pair(client, request_id, *struct.unpack_from("=II", data, 16))
        else:
            client.respond(response(0, error=7))

    def serve_pair(self, client, request_id, first, second):
        if request_id == EVENTS and self.may_write(first, second):
            bodies = {}
            header = RESPONSE_HEADER.pack(EVENT_ID, first, CS_OK)
            for _ in range(second):
                number = self.sent[client.conn]
                self.sent[client.conn] += 1
                body = bodies.get(number & 0xFF)
                if body is None:
                    body = bodies[number & 0xFF] = pattern(number & 0xFF, first - 28)
                client.event((header, struct.pack("=I", number), body))
        elif self.calm:
            client.respond(response(0, error=7))
            return
        elif request_id == FLOW and first <= 2 and second <= WAIT_MS_MAX:
            reactor.callLater(0.005, self.server.set_flow_control, {SERVICE_ID: first})
            reactor.callLater(0.005 + second / 1000, self.server.set_flow_control, {SERVICE_ID: 0})
        elif request_id == STALL and first <= WAIT_MS_MAX:
            self.stalled = True
            reactor.callLater(first / 1000, self.go_on)
        else:
            client.respond(response(0, error=7))
            return
        client.respond(response(request_id))

    def may_write(self, len_bytes, count):
        limit_bytes = EVENTS_BYTES_MAX >> 10 if self.calm else EVENTS_BYTES_MAX
        return 28 <= len_bytes <= limit_bytes and len_bytes * count <= limit_bytes

    def go_on(self):
        self.stalled = False
        self.server.resume()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--type", default="shm", choices=["shm", "socket"])
    parser.add_argument("--allow", type=int, default=None)
    parser.add_argument("--ready-after", type=int, default=0)
    parser.add_argument("--calm", action="store_true", help="take no orders to hold up others")
    options = parser.parse_args()
    began = reactor.seconds()
    handler = EchoHandler()
    conns = itertools.count(1)

    def log(level, text):
        print(f"{level}: {text}", flush=True)

    server = handler.server = QbServer(
        reactor,
        [handler],
        ipc_type=options.type,
        allowed=lambda uid, gid: uid == options.allow,
        ready=lambda: reactor.seconds() >= began + options.ready_after / 1000,
        new_conn=lambda: next(conns),
        log=log,
    )
    handler.calm = options.calm
    server.listen()
    descriptors = len(os.listdir("/proc/self/fd"))
    reactor.addSystemEventTrigger("before", "shutdown", server.stop)
    reactor.callWhenRunning(print, "up", flush=True)
    reactor.run()
    leaked = len(os.listdir("/proc/self/fd")) - descriptors + 1
    print(
        f"end: connected {handler.connected_count} disconnected {handler.disconnected_count}"
        f" active {server.stats.active} closed {server.stats.closed} leaked {max(leaked, 0)}",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
