"""
The transport that corosync.conf asks for.

Source: Corosync exec/totemnet.c, transport_entries.
"""

import socket
from collections.abc import Callable
from typing import Any, Final

from corosync_tw.config.links import Link
from corosync_tw.config.load import frame_len_bytes_max
from corosync_tw.config.schema import Config
from corosync_tw.daemon.carriage import Carriage, UdpCarriage
from corosync_tw.daemon.exitcodes import DaemonError, ExitCode
from corosync_tw.net.errors import NetError
from corosync_tw.net.interfaces import INetObserver
from corosync_tw.net.settings import UdpSettings
from corosync_tw.net.sockets import open_udp, receive_capacity_bytes
from corosync_tw.net.udp import UdpTransport
from corosync_tw.net.udpu import UdpuTransport

_MakeTransport = Callable[[Any, UdpSettings, INetObserver], UdpTransport | UdpuTransport]
_TRANSPORTS: Final[dict[str, _MakeTransport]] = {"udp": UdpTransport, "udpu": UdpuTransport}
# As stock's log has them.
_TITLES: Final = {"udp": "UDP/IP Multicast", "udpu": "UDP/IP Unicast"}


def udp_settings(config: Config) -> UdpSettings:
    """Return what a UDP transport has to know; it uses the first link alone."""
    link: Link = config.membership.links[0]
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
    )


def receive_msgs_max(config: Config) -> int:
    """Count the full frames that a socket of ours takes in while nobody reads it."""
    version = config.membership.links[0].local_address.version
    family = socket.AF_INET6 if version == 6 else socket.AF_INET
    return receive_capacity_bytes(family) // frame_len_bytes_max(config)


def check_port(config: Config) -> None:
    """
    See whether our address and port can be bound now.

    Raises: DaemonError with FATAL_ERR.
    """
    settings = udp_settings(config)
    try:
        open_udp(settings.bind_address, settings.port).close()
    except NetError as error:
        raise DaemonError(ExitCode(error.exit_code), str(error)) from error


def make_carriage(reactor: Any, config: Config, observer: INetObserver) -> Carriage:
    """Make what carries a node's datagrams; no socket is opened yet. Raises: NetError."""
    transport = _TRANSPORTS[config.transport()](reactor, udp_settings(config), observer)
    return UdpCarriage(transport, _TITLES[config.transport()])
