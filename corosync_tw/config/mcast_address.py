"""
The multicast group of the transport udp: as configured, or made from the name of the cluster.

Source: corosync 3.1.10 exec/totemconfig.c, generate_cluster_id, get_cluster_mcast_addr.
"""

from ipaddress import ip_address

from corosync_tw.config.host import Host, IpAddress
from corosync_tw.config.report import Report
from corosync_tw.config.schema_totem import InterfaceConfig, TotemConfig


def cluster_id(cluster_name: str) -> int:
    """Return the 16 bit number that stock makes of a cluster name; its characters are signed."""
    value = 0
    for byte in cluster_name.encode("utf-8", "surrogateescape"):
        value = (value << 1) + (byte - 256 if byte > 127 else byte)
    return value & 0xFFFF


def cluster_mcast_address(cluster_name: str, linknumber: int, ip_version: int) -> IpAddress:
    """Return the group of a cluster; the remainder by 255, not 256, is stock's and on the wire."""
    number = (cluster_id(cluster_name) + linknumber) & 0xFFFF
    if ip_version == 6:
        return ip_address(f"ff15::{number:x}")
    return ip_address(f"239.192.{number >> 8}.{number % 0xFF}")


def choose_mcast_address(
    totem: TotemConfig,
    interface: InterfaceConfig,
    local_address: IpAddress,
    *,
    host: Host,
    ip_version: str,
    report: Report,
) -> IpAddress | None:
    """Return the group of a link; None, with a fault reported, when there is no usable one."""
    if interface.mcastaddr is None:
        if totem.cluster_name is not None:
            return cluster_mcast_address(
                totem.cluster_name, interface.linknumber, local_address.version
            )
        report.fault(
            totem,
            "interface",
            f"No multicast address specified for interface {interface.linknumber}, "
            "write mcastaddr or cluster_name",
        )
        return None
    address = host.resolve_one(interface.mcastaddr, ip_version)
    if address is None:
        text = f"failed to parse mcast address '{interface.mcastaddr}', write a multicast address"
    elif address.version != local_address.version:
        text = (
            f"Multicast address family of {address} does not match that of {local_address}, "
            "use one family"
        )
    elif not address.is_multicast:
        text = (
            f"mcastaddr {address} is not a correct multicast address, "
            "write one of 224.0.0.0/4 or ff00::/8"
        )
    else:
        return address
    report.fault(interface, "mcastaddr", text)
    return None
