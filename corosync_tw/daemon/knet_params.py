"""
What corosync.conf says about knet, in the words of the engine and of the carriers.

Source: corosync 3.1.7 exec/totemknet.c, totemknet_initialize, totemknet_member_add;
exec/totemconfig.c, configure_link_params.
"""

from collections.abc import Mapping
from typing import Final

from corosync_tw.config.links import Link
from corosync_tw.config.report import Report
from corosync_tw.config.schema import Config
from corosync_tw.config.schema_totem import InterfaceConfig
from corosync_tw.config.timing import ping_timing
from corosync_tw.corotypes import NS_PER_MS, NS_PER_S
from corosync_tw.net.knet.compression import CompressionError, check_model
from corosync_tw.net.knet.params import (
    COMPRESS_THRESHOLD_BYTES,
    CompressParams,
    KnetParams,
    LinkParams,
    LinkPolicy,
)
from corosync_tw.net.knet_carrier import CarrierSettings

_POLICIES: Final = {
    "passive": LinkPolicy.PASSIVE,
    "active": LinkPolicy.ACTIVE,
    "rr": LinkPolicy.RR,
}


def knet_params(config: Config, interface_mtus: Mapping[str, int]) -> KnetParams:
    """
    Make the parameters of all links.

    :param interface_mtus: of our interfaces, by their addresses.
    """
    totem = config.totem
    links = tuple(
        params
        for link in config.membership.links
        for params in _link_params(config, link, interface_mtus.get(str(link.local_address), 0))
    )
    return KnetParams(
        nodeid=config.nodeid,
        links=links,
        policy=_POLICIES[totem.link_mode],
        pmtud_interval_ns=totem.knet_pmtud_interval_s * NS_PER_S,
        mtu_bytes=totem.knet_mtu_bytes,
        access_lists=totem.block_unlisted_ips,
        compress=CompressParams(
            totem.knet_compression_model or "none",
            totem.knet_compression_level,
            totem.knet_compression_threshold_bytes or COMPRESS_THRESHOLD_BYTES,
        ),
    )


def lacking_model(config: Config) -> list[str]:
    """
    Say why frames cannot be compressed as configured.

    :return: a message with the line; empty when they can, or knet is not used.
    """
    totem = config.totem
    if config.transport() != "knet" or totem.knet_compression_model is None:
        return []
    try:
        check_model(totem.knet_compression_model)
    except CompressionError as error:
        report = Report(config.file)
        report.fault(totem, "knet_compression_model", str(error))
        return report.faults
    return []


def carrier_settings(config: Config, link: Link) -> CarrierSettings:
    """Make the settings of one link's socket."""
    return CarrierSettings(
        bind_address=str(link.local_address),
        port=link.port,
        peers=_peers(config, link),
        ip_dscp=config.totem.ip_dscp,
    )


def _peers(config: Config, link: Link) -> dict[int, str]:
    return {
        member.nodeid: str(member.address)
        for member in link.members
        if member.nodeid != config.nodeid
    }


def _link_params(config: Config, link: Link, interface_mtu_bytes: int) -> list[LinkParams]:
    """Make the parameters of one link to every other node."""
    interfaces = {each.linknumber: each for each in config.totem.interfaces}
    interface = interfaces.get(link.linknumber) or InterfaceConfig(path="totem.interface")
    interval_ms, timeout_ms = ping_timing(interface, config.timing)
    return [
        LinkParams(
            nodeid=nodeid,
            link=link.linknumber,
            address=address,
            ipv6=link.local_address.version == 6,
            ping_interval_ns=interval_ms * NS_PER_MS,
            pong_timeout_ns=timeout_ms * NS_PER_MS,
            precision=interface.knet_ping_precision,
            pong_count=interface.knet_pong_count,
            priority=interface.knet_link_priority or 1,
            interface_mtu_bytes=interface_mtu_bytes,
        )
        for nodeid, address in _peers(config, link).items()
    ]
