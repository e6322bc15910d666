"""
What the links of knet are configured with.

Source: libknet 1.25 libknet.h (defaults and limits), links.c, handle.c.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from corosync_tw.corotypes import NS_PER_S

PING_INTERVAL_NS: Final = NS_PER_S
PONG_TIMEOUT_NS: Final = 2 * NS_PER_S
PING_PRECISION_SAMPLES: Final = 2048
PONG_COUNT: Final = 5
PMTUD_INTERVAL_NS: Final = 60 * NS_PER_S
COMPRESS_THRESHOLD_BYTES: Final = 100


class LinkPolicy(IntEnum):
    """Which of a host's links carry data (KNET_LINK_POLICY_*)."""

    PASSIVE = 0
    ACTIVE = 1
    RR = 2


@dataclass(frozen=True, slots=True)
class LinkParams:
    """
    One link to one host.

    :ivar link: number, the same on both ends.
    :ivar address: of the host on this link, as the sources of its datagrams show it: the host of a
        pair (host, port), or a name in the simulator.
    :ivar ipv6: whether IP headers take 40 bytes, not 20.
    :ivar pong_timeout_ns: without a pong for this long a link is down (knet_ping_timeout).
    :ivar precision: samples of the mean latency.
    :ivar pong_count: pongs before a link is up.
    :ivar priority: the highest is used first by the passive policy.
    :ivar interface_mtu_bytes: of our end, where it is known: discovery begins there; 0 for unknown.
    """

    nodeid: int
    link: int
    address: Hashable
    ipv6: bool = False
    ping_interval_ns: int = PING_INTERVAL_NS
    pong_timeout_ns: int = PONG_TIMEOUT_NS
    precision: int = PING_PRECISION_SAMPLES
    pong_count: int = PONG_COUNT
    priority: int = 0
    interface_mtu_bytes: int = 0


@dataclass(frozen=True, slots=True)
class CompressParams:
    """
    How frames are compressed.

    :ivar model: one of compression.MODELS, or "none".
    :ivar level: in the model's own scale.
    :ivar threshold_bytes: frames that are not longer are left alone.
    """

    model: str = "none"
    level: int = 0
    threshold_bytes: int = COMPRESS_THRESHOLD_BYTES


@dataclass(frozen=True, slots=True)
class KnetParams:
    """
    All links of one node.

    :ivar nodeid: our own, 1 to wire.NODEID_MAX.
    :ivar links: to other nodes.
    :ivar pmtud_interval_ns: how often each link's MTU is looked for again.
    :ivar mtu_bytes: of IP packets, for every link; 0 to discover it (knet_mtu).
    :ivar access_lists: whether pings from other addresses than a link's are refused
        (block_unlisted_ips); data from elsewhere always is.
    :ivar seq: of the last data packet sent; 0 for a node that starts.
    """

    nodeid: int
    links: tuple[LinkParams, ...]
    policy: LinkPolicy = LinkPolicy.PASSIVE
    pmtud_interval_ns: int = PMTUD_INTERVAL_NS
    mtu_bytes: int = 0
    access_lists: bool = True
    compress: CompressParams = CompressParams()
    seq: int = 0
