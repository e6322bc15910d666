"""The networks of a run, the link layer of each node, and what is expected of both."""

from collections.abc import Mapping
from typing import Final

from corosync_tw.corotypes import NS_PER_S
from corosync_tw.errors import MalformedFrame
from corosync_tw.net.knet.engine import KnetEngine
from corosync_tw.net.knet.params import KnetParams, LinkParams, LinkPolicy
from corosync_tw.prng import generator
from corosync_tw.sim.clock import EventQueue
from corosync_tw.sim.link_checks import LinkChecks
from corosync_tw.sim.link_options import (
    KNET_LAYERS,
    Layer,
    LinkOptions,
    is_clean,
    is_orderly,
    notice_time_ns,
)
from corosync_tw.sim.linked import Linked, LinkSurroundings
from corosync_tw.sim.network import Network
from corosync_tw.sim.options import Options
from corosync_tw.sim.sealing import Sealing
from corosync_tw.sim.snoop import HOLD_CANCEL, MCAST, TYPE_OFFSET
from corosync_tw.sim.surroundings import Inhabitant
from corosync_tw.totem import wire
from corosync_tw.totem.links import LinkLayer
from corosync_tw.totem.rrp.gate import Missing
from corosync_tw.totem.rrp.params import RrpMode, RrpParams
from corosync_tw.totem.rrp.redundant import RedundantRing

# Whole intervals after which a test or word of its success is no longer under way.
TESTS_UNDER_WAY: Final = 3
_RRP_MODES: Final = {
    Layer.PASSIVE: RrpMode.PASSIVE,
    Layer.ACTIVE: RrpMode.ACTIVE,
    Layer.ACTIVE_PASSIVE: RrpMode.ACTIVE_PASSIVE,
}
_POLICIES: Final = {
    Layer.KNET_PASSIVE: LinkPolicy.PASSIVE,
    Layer.KNET_ACTIVE: LinkPolicy.ACTIVE,
    Layer.KNET_RR: LinkPolicy.RR,
}
UDP_HEADERS_BYTES: Final = 28
_KNET_DATA_LEN: Final = 14
_KNET_FRAG_SEQ: Final = 12
_PONG_COUNT: Final = 2
# Of one link that comes up, with their answers.
_MTU_PROBES_MAX: Final = 40


def make_networks(
    queue: EventQueue, options: Options, link_options: LinkOptions | None
) -> list[Network]:
    """Make the only network, or several with delays of their own."""
    if link_options is None:
        return [Network(queue, generator(options.seed, "network"), options, is_malformed)]
    networks = []
    for number in range(link_options.networks):
        rng = generator(options.seed, f"network {number}")
        if link_options.layer in KNET_LAYERS:
            network = Network(queue, rng, options, _never_malformed, number)
            network.kind_of = knet_kind
            network.frame_bytes_max = link_options.mtu_bytes - UDP_HEADERS_BYTES
        else:
            network = Network(queue, rng, options, _is_malformed_for_all, number)
        network.delay_ns = int(options.delay_ns * link_options.slowness[number])
        networks.append(network)
    return networks


def make_checks(options: Options, link_options: LinkOptions | None) -> LinkChecks:
    """Make the checks of links, with what may be expected of these networks."""
    if link_options is None:
        return LinkChecks()
    return LinkChecks(
        clean=is_clean(options),
        orderly=is_orderly(options, link_options),
        dead_ns=notice_time_ns(options, link_options),
        test_ns=(TESTS_UNDER_WAY * link_options.check_ns + NS_PER_S) * 11 // 10,
    )


def keep_alive_frames(options: Options, links: LinkOptions | None, time_ns: int) -> int:
    """Count what links of knet may send on one network while nothing happens."""
    if links is None or links.layer not in KNET_LAYERS:
        return 0
    pairs = options.nodes * (options.nodes - 1)
    pings = time_ns * 2 * _PONG_COUNT // options.ring_timeouts_ns[0] + 1
    return pairs * (2 * 2 * pings + _MTU_PROBES_MAX)


def is_malformed(frame: bytes) -> bool:
    """Tell whether the decoder refuses a frame."""
    try:
        wire.decode(frame)
    except MalformedFrame:
        return True
    return False


def _is_malformed_for_all(frame: bytes) -> bool:
    """Likewise; what may be a link layer's own has no checksum but UDP's, which caught it."""
    return (len(frame) <= TYPE_OFFSET or frame[TYPE_OFFSET] <= HOLD_CANCEL) and is_malformed(frame)


def _never_malformed(_frame: bytes) -> bool:
    """A damaged packet of knet is caught by UDP's checksum, or by the seal."""
    return False


def knet_kind(packet: bytes) -> int:
    """Tell the kind of the ring's frame in a packet of knet in clear; -1 for any other packet."""
    if len(packet) <= _KNET_DATA_LEN + TYPE_OFFSET or packet[1] != 0:
        return -1
    return packet[_KNET_DATA_LEN + TYPE_OFFSET] if packet[_KNET_FRAG_SEQ] <= 1 else MCAST


def make_linked(
    links: LinkOptions, node: Inhabitant, missing: Missing, around: LinkSurroundings
) -> Linked:
    """Make what lies between a node that starts and the networks."""
    options = around.options
    layer = _make_layer(options, links, node, missing, around.index_of)
    sealing: Sealing | None = None
    if links.sealed:
        rng = generator(options.seed, f"sealing {node.nodeid} {node.incarnation}")
        sealing = Sealing(node.nodeid, links.networks, rng, node.local_now, links.sealed_start)
    return Linked(node.index, node.nodeid, layer, node.local_now, around, sealing)


def _make_layer(
    options: Options,
    links: LinkOptions,
    node: Inhabitant,
    missing: Missing,
    index_of: Mapping[int, int],
) -> LinkLayer:
    if links.layer in KNET_LAYERS:
        return KnetEngine(_knet_params(options, links, node, index_of))
    params = RrpParams(
        my_id=node.nodeid,
        mode=_RRP_MODES[links.layer],
        networks=links.networks,
        copies=links.copies,
        token_expired_timeout_ns=links.token_expired_ns,
        message_delay_timeout_ns=links.message_delay_ns,
        problem_count_timeout_ns=links.problem_count_ns,
        problem_count_threshold=links.problem_threshold,
        problem_count_mcast_threshold=links.mcast_threshold,
        autorecovery_check_timeout_ns=links.check_ns,
        clean_tests=links.clean_tests,
        hold_down_ns=links.hold_down_ns,
        hold_down_max_ns=links.hold_down_max_ns,
        hold_down_decay_ns=links.hold_down_decay_ns,
        count_start=links.count_start,
        test_start=links.count_start,
        seed=options.seed * 1000 + node.incarnation,
    )
    return RedundantRing(params, missing)


def _knet_params(
    options: Options, links: LinkOptions, node: Inhabitant, index_of: Mapping[int, int]
) -> KnetParams:
    """Give what Corosync makes of its token timeout; priorities as drawn."""
    token_ns = options.ring_timeouts_ns[0]
    params = tuple(
        LinkParams(
            nodeid,
            link,
            index,
            ping_interval_ns=token_ns // (2 * _PONG_COUNT),
            pong_timeout_ns=token_ns // _PONG_COUNT,
            pong_count=_PONG_COUNT,
            priority=links.priorities[link % len(links.priorities)],
        )
        for nodeid, index in sorted(index_of.items())
        if nodeid != node.nodeid
        for link in range(links.networks)
    )
    # A node that starts anew says so with a seq of 0.
    seq = links.count_start & 0xFFFF if node.incarnation == 1 else 0
    return KnetParams(node.nodeid, params, _POLICIES[links.layer], seq=seq)
