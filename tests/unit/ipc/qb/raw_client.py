"""
A libqb client by hand, which does right or wrong as it is told.

Nothing of the server's code is used but the layout of its structs: this is the other side. It never
waits: the caller runs the server in between.
"""

import ctypes
import mmap
import os
import socket
import struct

LIBC = ctypes.CDLL(None, use_errno=True)
COMMITTED, ALLOCATED, DEAD = 0xA1A1A1A1, 0xA110CED0, 0xD0D0D0D0
SEM_OFFSET = 8208
REF_COUNT_OFFSET = 8204
FLOW_OFFSET = 8240
RESPONSE_LEN = 12328
MAX_MSG_SIZE = 1 << 20


class Refused(Exception):
    """The server said no; ``code`` is the errno."""

    def __init__(self, code):
        super().__init__(os.strerror(code))
        self.code = code


class RawRing:
    """One ring, mapped as libqb's client maps it, but for the second map of the data."""

    def __init__(self, path, header_len, data_path=None):
        self.path = path
        self.header = self._map(f"{path}-header", header_len)
        self.word_size = self.word(2)
        stored = self.header[4108 : 4108 + 4096].split(b"\0")[0].decode()
        assert stored == f"{path}-data"
        self.data = self._map(data_path or stored, self.word_size * 4)
        self.at = 0
        self.sem = ctypes.addressof(ctypes.c_char.from_buffer(self.header, SEM_OFFSET))
        references = struct.unpack_from("=i", self.header, REF_COUNT_OFFSET)[0]
        struct.pack_into("=i", self.header, REF_COUNT_OFFSET, references + 1)

    @staticmethod
    def _map(path, len_bytes):
        fd = os.open(path, os.O_RDWR)
        try:
            os.ftruncate(fd, len_bytes)
            os.posix_fallocate(fd, 0, len_bytes)
            return mmap.mmap(fd, len_bytes)
        finally:
            os.close(fd)

    def word(self, index):
        return struct.unpack_from("=I", self.header, index * 4)[0]

    def set_word(self, index, value):
        struct.pack_into("=I", self.header, index * 4, value & 0xFFFFFFFF)

    def store(self, at, value):
        struct.pack_into("=I", self.data, at % self.word_size * 4, value & 0xFFFFFFFF)

    def load(self, at):
        return struct.unpack_from("=I", self.data, at % self.word_size * 4)[0]

    def value(self):
        return struct.unpack_from("=i", self.header, SEM_OFFSET)[0]

    def post(self):
        assert LIBC.sem_post(ctypes.c_void_p(self.sem)) == 0

    def trywait(self):
        return LIBC.sem_trywait(ctypes.c_void_p(self.sem)) == 0

    def free_bytes(self):
        write, read = self.word(0), self.word(1)
        if write > read:
            words = read - write + self.word_size - 1
        elif write < read:
            words = read - write - 1
        else:
            words = 0 if self.value() > 0 else self.word_size
        return words * 4

    def write(self, data, *, magic=COMMITTED, claimed=None, post=True):
        """Write a chunk as qb_rb_chunk_write does; False when there is no room."""
        if self.free_bytes() < len(data) + 12:
            return False
        at = self.word(0)
        self.store(at, 0)
        self.store(at + 1, ALLOCATED)
        padded = data + bytes(-len(data) % 4)
        start = (at + 2) % self.word_size * 4
        head = padded[: self.word_size * 4 - start]
        self.data[start : start + len(head)] = head
        self.data[: len(padded) - len(head)] = padded[len(head) :]
        self.store(at, len(data) if claimed is None else claimed)
        self.set_word(0, (at + 2 + len(padded) // 4) % self.word_size)
        self.store(at + 1, magic)
        if post:
            self.post()
        return True

    def read(self):
        """Read a chunk as qb_rb_chunk_read does; None when there is none."""
        if not self.trywait():
            return None
        at = self.word(1)
        assert self.load(at + 1) == COMMITTED
        len_bytes = self.load(at)
        words = -(-len_bytes // 4)
        raw = b"".join(
            self.data[i % self.word_size * 4 : i % self.word_size * 4 + 4]
            for i in range(at + 2, at + 2 + words)
        )
        self.store(at, 0)
        self.store(at + 1, DEAD)
        self.set_word(1, (at + 2 + words) % self.word_size)
        return raw[:len_bytes]

    def read_fast(self):
        """Like ``read``, for chunks of any length without a loop over words."""
        if not self.trywait():
            return None
        at = self.word(1)
        assert self.load(at + 1) == COMMITTED
        len_bytes = self.load(at)
        start = (at + 2) % self.word_size * 4
        head = self.data[start : start + len_bytes]
        data = head + self.data[: len_bytes - len(head)]
        self.set_word(1, (at + 2 - (-len_bytes // 4)) % self.word_size)
        return data

    def truncate(self, len_bytes, which="data"):
        os.truncate(f"{self.path}-{which}", len_bytes)


class RawClient:
    """A connection; ``begin`` and ``finish`` are the halves of the handshake."""

    def __init__(self, address):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.setblocking(False)
        self.sock.connect(address)
        self.rings = ()
        self.kind = None

    def begin(self, max_msg_size=MAX_MSG_SIZE, message_id=-1):
        self.sock.send(struct.pack("=i4xi4xI4x", message_id, 24, max_msg_size))

    def finish(self):
        answer = self.sock.recv(RESPONSE_LEN)
        assert len(answer) == RESPONSE_LEN
        self.answer = answer
        message_id, size, error, self.kind, self.max_msg_size, self.conn = struct.unpack_from(
            "=i4xi4xi4xiIq", answer
        )
        assert (message_id, size) == (-1, RESPONSE_LEN)
        if error:
            self.sock.close()
            raise Refused(-error)
        self.paths = [
            answer[40 + i * 4096 : 40 + (i + 1) * 4096].split(b"\0")[0].decode() for i in range(3)
        ]
        if self.kind == 1:
            self._open_rings()
        else:
            self._open_sockets()
        return self

    def _open_rings(self):
        lens = (8252, 8248, 8248)
        self.rings = tuple(
            RawRing(path, length) for path, length in zip(self.paths, lens, strict=True)
        )
        self.requests, self.responses, self.events = self.rings

    def _open_sockets(self):
        fd = os.open(self.paths[0], os.O_RDWR)
        os.ftruncate(fd, 24)
        self.control = mmap.mmap(fd, 24)
        os.close(fd)
        self.channel = self._dgram("response", "request")
        self.event_channel = self._dgram("event", "event-tx")

    def _dgram(self, own, remote):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.bind(self.dgram_address(own))
        sock.connect(self.dgram_address(remote))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self.max_msg_size)
        return sock

    def dgram_address(self, name):
        return (b"\0" + f"{self.paths[1]}-{name}".encode()).ljust(108, b"\0")

    def flow_control(self):
        if self.kind == 1:
            return struct.unpack_from("=i", self.requests.header, FLOW_OFFSET)[0]
        return struct.unpack_from("=i", self.control, 4)[0]

    def send(self, message_id, body=b"", size=None, *, header=None):
        """Send a request; False when there is no room."""
        data = struct.pack("=i4xi4x", message_id, 16 + len(body) if size is None else size) + body
        return self.send_raw(data)

    def send_raw(self, data):
        if self.kind == 1:
            if not self.requests.write(data):
                return False
            self.bell()
            return True
        try:
            self.channel.send(data)
        except BlockingIOError:
            return False
        return True

    def bell(self, count=1):
        self.sock.send(bytes(count))

    def response(self):
        if self.kind == 1:
            return self.responses.read_fast()
        return self._receive(self.channel)

    def event(self):
        if self.kind == 1:
            try:
                if not self.sock.recv(1):
                    return None
            except BlockingIOError:
                return None
            event = self.events.read_fast()
            assert event is not None, "a bell without an event"
            return event
        return self._receive(self.event_channel)

    def _receive(self, sock):
        try:
            return sock.recv(self.max_msg_size + 1)
        except BlockingIOError:
            return None

    def hung_up(self):
        """Tell whether the server has closed the connection."""
        try:
            while self.sock.recv(4096):
                pass
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True

    def close(self):
        self.sock.close()
        if self.kind == 0:
            self.channel.close()
            self.event_channel.close()
