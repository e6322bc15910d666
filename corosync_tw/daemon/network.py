"""
The transport that corosync.conf asks for.

Source: Corosync exec/totemnet.c, transport_entries.
"""

import os
import socket
from collections.abc import Callable
from typing import Any, Final

from corosync_tw.config.crypto import NONE
from corosync_tw.config.links import Link
from corosync_tw.config.load import frame_len_bytes_max
from corosync_tw.config.schema import Config
from corosync_tw.daemon.carriage import Carriage, UdpCarriage
from corosync_tw.daemon.datagram_keys import cluster_key
from corosync_tw.daemon.exitcodes import DaemonError, ExitCode
from corosync_tw.daemon.knet_carriage import KnetCarriage
from corosync_tw.daemon.ring_carriage import RingCarriage
from corosync_tw.net.crypto.guard import Guard
from corosync_tw.net.driver import Driver
from corosync_tw.net.errors import NetError
from corosync_tw.net.guarded import AnyUdpTransport, GuardedTransport
from corosync_tw.net.interfaces import INetObserver
from corosync_tw.net.settings import UdpSettings
from corosync_tw.net.sockets import open_probing_udp, open_udp, receive_capacity_bytes
from corosync_tw.net.stats import TransportStats
from corosync_tw.net.udp import UdpTransport
from corosync_tw.net.udpu import UdpuTransport

_MakeTransport = Callable[
    [Any, UdpSettings, INetObserver, TransportStats], UdpTransport | UdpuTransport
]
_TRANSPORTS: Final[dict[str, _MakeTransport]] = {"udp": UdpTransport, "udpu": UdpuTransport}
# As stock's log has them.
_TITLES: Final = {"udp": "UDP/IP Multicast", "udpu": "UDP/IP Unicast"}


def udp_settings(config: Config, link: Link) -> UdpSettings:
    """Return what a UDP transport has to know of its network."""
    return UdpSettings(
        nodeid=config.nodeid,
        bind_address=str(link.local_address),
        members={member.nodeid: str(member.address) for member in link.members},
        port=link.port,
        block_unlisted_ips=config.totem.block_unlisted_ips,
        ip_dscp=config.totem.ip_dscp,
        mcast_address="" if link.mcast_address is None else str(link.mcast_address),
        broadcast=link.broadcast,
        ttl=link.ttl,
        patient=_has_rings(config),
    )


def receive_msgs_max(config: Config) -> int:
    """Count the full frames that a socket of ours takes in while nobody reads it."""
    version = config.membership.links[0].local_address.version
    family = socket.AF_INET6 if version == 6 else socket.AF_INET
    return receive_capacity_bytes(family) // frame_len_bytes_max(config)


def check_port(config: Config) -> None:
    """
    See whether our addresses and ports can be bound now.

    Raises: DaemonError with FATAL_ERR.
    """
    # Of several networks one may be down.
    patient = config.transport() == "knet" or _has_rings(config)
    open_one = open_probing_udp if patient else open_udp
    try:
        for link in config.membership.links:
            open_one(str(link.local_address), link.port).close()
    except NetError as error:
        raise DaemonError(ExitCode(error.exit_code), str(error)) from error


def make_carriage(reactor: Any, config: Config, observer: INetObserver) -> Carriage:
    """Make what carries a node's datagrams; no socket is opened yet. Raises: NetError."""
    if config.transport() == "knet":
        return KnetCarriage(reactor, config, observer)
    title = _TITLES[config.transport()]
    if _has_rings(config):
        return RingCarriage(reactor, config, observer, _make_transport, title)
    link = config.membership.links[0]
    return UdpCarriage(_make_transport(reactor, config, link, observer, TransportStats()), title)


def _has_rings(config: Config) -> bool:
    return config.is_redundant() and len(config.membership.links) > 1


def _make_transport(
    reactor: Any, config: Config, link: Link, observer: INetObserver, stats: TransportStats
) -> AnyUdpTransport:
    make = _TRANSPORTS[config.transport()]
    transport = make(reactor, udp_settings(config, link), observer, stats)
    if config.crypto.datagram_cipher == NONE:
        return transport
    # Each network has a guard of its own: what one repeats of another is for the ring to judge.
    guard = Guard(config.nodeid, cluster_key(config), os.urandom, Driver.now_ns)
    return GuardedTransport(transport, guard, observer, Driver.now_ns)
