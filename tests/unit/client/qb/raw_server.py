"""
A libqb server by hand, for one client at a time, which does right or wrong as it is told.

Of the code under test it uses nothing but the layout of structs. It runs in a thread, since the
client blocks.
"""

import contextlib
import ctypes
import itertools
import mmap
import os
import select
import shutil
import socket
import struct
import tempfile
import threading
from queue import Queue

from corosync_tw.ipc.qb.layout import CONNECTION_RESPONSE, abstract_address

LIBC = ctypes.CDLL(None, use_errno=True)
COMMITTED = 0xA1A1A1A1
HEADER_LEN, SEM_OFFSET, REF_COUNT_WORD, FLOW_WORD = 8252, 8208, 8204 // 4, 8240 // 4
MAX_MSG_LEN = 16384
DATA_LEN = 20480
SHM, SOCKET = 1, 0
_NUMBERS = itertools.count(1)


def response(body=b"", *, response_id=1, error=1, size=None):
    """Make a message of the server."""
    size = 24 + len(body) if size is None else size
    return struct.pack("=i4xi4xi4x", response_id, size, error) + body


class RawRing:
    """One ring; its files are made anew."""

    def __init__(self, path):
        self.header = self._made(f"{path}-header", HEADER_LEN)
        self.data = self._made(f"{path}-data", DATA_LEN)
        self.words = memoryview(self.header).cast("I")
        self.chunks = memoryview(self.data).cast("I")
        self.words[2] = DATA_LEN // 4
        self.words[REF_COUNT_WORD] = 1
        self.sem = ctypes.c_void_p(
            ctypes.addressof(ctypes.c_char.from_buffer(self.header, SEM_OFFSET))
        )
        LIBC.sem_init(self.sem, 1, 0)

    @staticmethod
    def _made(path, length):
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        os.ftruncate(fd, length)
        mapping = mmap.mmap(fd, length)
        os.close(fd)
        return mapping

    def start_at(self, word):
        """Move both pointers, so that the next chunk wraps."""
        self.words[0] = self.words[1] = word

    def write(self, message, *, magic=COMMITTED, length=None):
        at, size = self.words[0], DATA_LEN // 4
        self.chunks[at] = len(message) if length is None else length
        self.chunks[(at + 1) % size] = magic
        for offset, byte in enumerate(message):
            self.data[((at + 2) * 4 + offset) % DATA_LEN] = byte
        self.words[0] = (at + 2 + -(-len(message) // 4)) % size
        LIBC.sem_post(self.sem)

    def read(self):
        assert LIBC.sem_trywait(self.sem) == 0
        at, size = self.words[1], DATA_LEN // 4
        assert self.chunks[(at + 1) % size] == COMMITTED
        length = self.chunks[at]
        message = bytes(self.data[((at + 2) * 4 + i) % DATA_LEN] for i in range(length))
        self.words[1] = (at + 2 + -(-length // 4)) % size
        return message


class RawServer:
    """
    A service that nobody else has.

    :ivar answer: given a request, gives the messages to write as responses; put another one there.
    :ivar greet: given a new connection, before the client hears of it.
    """

    def __init__(self, kind=SHM):
        self.kind = kind
        self.service = f"cti-{os.getpid()}-{next(_NUMBERS)}"
        self.directory = tempfile.mkdtemp(prefix="qb-1-2-3-", dir="/dev/shm")
        self.paths = [
            f"{self.directory}/qb-{name}-cti" for name in ("request", "response", "event")
        ]
        if kind == SOCKET:
            self.paths = [f"{self.directory}/qb-control-cti", f"{self.directory}/qb-cti", ""]
        self.error, self.max_msg_len = 0, MAX_MSG_LEN
        self.answer = lambda request: [response(request[16:])]
        self.greet = lambda server: None
        self.requests = Queue()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(abstract_address(self.service))
        self.listener.listen(8)
        self.stream = None
        self.thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.hang_up()
        # Wakes an accept that nobody came to.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join(5)
        assert not self.thread.is_alive()
        self.listener.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def hang_up(self):
        if self.stream is not None:
            with contextlib.suppress(OSError):
                self.stream.shutdown(socket.SHUT_RDWR)

    def event(self, message):
        if self.kind == SHM:
            self.events.write(message)
            self.stream.send(b"\1")
        else:
            self.event_socket.sendto(message, abstract_address(f"{self.paths[1]}-event"))

    def _serve(self):
        try:
            self.stream, _ = self.listener.accept()
        except OSError:
            return
        # A client or a test may hang up at any time.
        with self.stream, contextlib.suppress(OSError):
            assert len(self.stream.recv(24, socket.MSG_WAITALL)) == 24
            self._make()
            self.greet(self)
            paths = [path.encode() for path in self.paths]
            self.stream.sendall(
                CONNECTION_RESPONSE.pack(
                    -1, 12328, self.error, self.kind, self.max_msg_len, 0, *paths
                )
            )
            if not self.error:
                self._answer_all()

    def _make(self):
        if self.kind == SHM:
            self.ring_list = [RawRing(path) for path in self.paths]
            self.request_ring, self.responses, self.events = self.ring_list
        elif self.kind == SOCKET:
            with open(self.paths[0], "w+b") as control:
                control.write(bytes(24))
            self.request_socket = self._bound("request")
            self.event_socket = self._bound("event-tx")

    def _bound(self, name):
        one = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        one.bind(abstract_address(f"{self.paths[1]}-{name}"))
        one.settimeout(5)
        return one

    def _answer_all(self):
        if self.kind == SHM:
            while self.stream.recv(1):
                self._answered(self.request_ring.read(), self.responses.write)
        elif self.kind == SOCKET:
            where = abstract_address(f"{self.paths[1]}-response")
            while self.stream not in select.select([self.stream, self.request_socket], [], [])[0]:
                request = self.request_socket.recv(1 << 20)
                self._answered(request, lambda m: self.request_socket.sendto(m, where))

    def _answered(self, request, write):
        self.requests.put(request)
        for message in self.answer(request):
            write(message)
