"""
Debian's libknet by ctypes: one handle, one peer, links over loopback.

Source: libknet 1.25 libknet.h.
"""

import contextlib
import ctypes as c
import os
import socket
from collections.abc import Iterator

from corosync_tw.net.crypto.settings import CryptoSettings

_TRANSPORT_UDP = 1
_NAME_LEN, _KEY_LEN = 16, 4096
_POLICY_PASSIVE = 0


class CryptoConfig(c.Structure):
    """struct knet_handle_crypto_cfg."""

    _fields_ = (
        ("model", c.c_char * _NAME_LEN),
        ("cipher", c.c_char * _NAME_LEN),
        ("hash_name", c.c_char * _NAME_LEN),
        ("key", c.c_ubyte * _KEY_LEN),
        ("key_len", c.c_uint),
    )


class CompressConfig(c.Structure):
    """struct knet_handle_compress_cfg."""

    _fields_ = (
        ("model", c.c_char * _NAME_LEN),
        ("threshold_bytes", c.c_uint32),
        ("level", c.c_int),
    )


class HostStatus(c.Structure):
    """struct knet_host_status."""

    _fields_ = (("reachable", c.c_uint8), ("remote", c.c_uint8), ("external", c.c_uint8))


_SOCK_NOTIFY = c.CFUNCTYPE(None, c.c_void_p, c.c_int, c.c_int8, c.c_uint8, c.c_int, c.c_int)


class Libknet:
    """
    A handle of libknet.

    :ivar data: what is written here goes to the peer, what the peer sends is read here.
    """

    def __init__(self, nodeid: int, peer: int, own_port: int, peer_port: int) -> None:
        self._lib = c.CDLL("libknet.so.1", use_errno=True)
        self._lib.knet_handle_new.restype = c.c_void_p
        self._peer = peer
        handle = self._lib.knet_handle_new(c.c_uint16(nodeid), c.c_int(0), c.c_uint8(0))
        assert handle, os.strerror(c.get_errno())
        self._handle = c.c_void_p(handle)
        self._notify = _SOCK_NOTIFY(lambda *_: None)
        self._call("knet_handle_enable_sock_notify", None, self._notify)
        fd, channel = c.c_int(0), c.c_int8(0)
        self._call("knet_handle_add_datafd", c.byref(fd), c.byref(channel))
        self.data = socket.socket(fileno=os.dup(fd.value))
        self.data.settimeout(5)
        self._fd = fd
        self._call("knet_host_add", c.c_uint16(peer))
        self._call("knet_host_set_policy", c.c_uint16(peer), c.c_uint8(_POLICY_PASSIVE))
        self._links = 0
        self.add_link(own_port, peer_port)

    def add_link(self, own_port: int, peer_port: int) -> None:
        """Configure the next link to the peer."""
        own, to = _address(own_port), _address(peer_port)
        link = (c.c_uint16(self._peer), c.c_uint8(self._links))
        self._call("knet_link_set_config", *link, c.c_uint8(_TRANSPORT_UDP), own, to, c.c_uint64(0))
        self._call("knet_link_set_ping_timers", *link, c.c_long(20), c.c_long(2000), c.c_uint(2048))
        self._call("knet_link_set_pong_count", *link, c.c_uint8(1))
        self._links += 1

    def set_policy(self, policy: int) -> None:
        """Use the links as the policy has it."""
        self._call("knet_host_set_policy", c.c_uint16(self._peer), c.c_uint8(policy))

    def set_mtu(self, mtu_bytes: int) -> None:
        """Take this MTU for every link's, and discover none; 0 to discover it again."""
        self._call("knet_handle_pmtud_set", c.c_uint(mtu_bytes))

    def compress(self, model: str, level: int, threshold_bytes: int) -> None:
        """Compress what is sent."""
        config = CompressConfig(model.encode(), threshold_bytes, level)
        self._call("knet_handle_compress", c.byref(config))

    def start(self) -> None:
        """Ping the peer and forward data."""
        self._call("knet_handle_setfwd", c.c_uint(1))
        for link in range(self._links):
            self._call("knet_link_set_enable", c.c_uint16(self._peer), c.c_uint8(link), c.c_uint(1))

    def set_config(self, place: int, settings: CryptoSettings) -> None:
        """Put a key into a place."""
        key = (c.c_ubyte * _KEY_LEN)(*settings.key)
        config = CryptoConfig(
            settings.model.encode(),
            settings.cipher.encode(),
            settings.hash_name.encode(),
            key,
            len(settings.key),
        )
        self._call("knet_handle_crypto_set_config", c.byref(config), c.c_uint8(place))

    def use_config(self, place: int) -> None:
        """Seal with the key in a place."""
        self._call("knet_handle_crypto_use_config", c.c_uint8(place))

    def refuse_clear(self) -> None:
        """Hear nothing in clear any more."""
        self._call("knet_handle_crypto_rx_clear_traffic", c.c_uint8(1))

    def reaches_peer(self) -> bool:
        """Tell whether the link is up."""
        status = HostStatus()
        self._call("knet_host_get_status", c.c_uint16(self._peer), c.byref(status))
        return bool(status.reachable)

    def close(self) -> None:
        """Give everything back."""
        for number in range(self._links):
            link = (c.c_uint16(self._peer), c.c_uint8(number))
            self._call("knet_link_set_enable", *link, c.c_uint(0))
            self._call("knet_link_clear_config", *link)
        self._call("knet_host_remove", c.c_uint16(self._peer))
        self._call("knet_handle_setfwd", c.c_uint(0))
        self._call("knet_handle_remove_datafd", self._fd)
        self.data.close()
        self._call("knet_handle_free")

    def _call(self, name: str, *arguments: object) -> None:
        result = getattr(self._lib, name)(self._handle, *arguments)
        assert result == 0, f"{name}: {os.strerror(c.get_errno())}"


def _address(port: int) -> c.Array[c.c_char]:
    packed = (
        socket.AF_INET.to_bytes(2, "little")
        + port.to_bytes(2, "big")
        + socket.inet_aton("127.0.0.1")
    )
    return c.create_string_buffer(packed, 128)


@contextlib.contextmanager
def libknet(settings: CryptoSettings, own_port: int, peer_port: int) -> Iterator[Libknet]:
    """
    Give node 1 with a link to node 2, sealing with ``settings``.

    Its MTU is fixed: the peer here answers no packet of discovery. While libknet waits for an
    answer it may hold the lock that whoever notes that the link is up needs, for 20 s.
    """
    knet = Libknet(1, 2, own_port, peer_port)
    try:
        knet.set_mtu(1500)
        knet.set_config(1, settings)
        knet.use_config(1)
        knet.refuse_clear()
        knet.start()
        yield knet
    finally:
        knet.close()
