"""
Options of a run with several networks: which link layer, which faults of which networks.

Drawn by a generator of its own, so that runs with one network stay what they were.
"""

from dataclasses import dataclass, field
from enum import Enum
from math import exp, log
from random import Random
from typing import Final

from corosync_tw.corotypes import NS_PER_MS, NS_PER_S
from corosync_tw.sim.options import Options

NETWORKS_MIN: Final = 2
NETWORKS_MAX: Final = 8
COUNT_STARTS: Final = tuple(
    (centre + delta) & 0xFFFFFFFF
    for centre in (0, 1 << 15, 1 << 16, 1 << 31, 1 << 32)
    for delta in (-1, -2, -20, -300)
)


class Layer(Enum):
    """What lies between ring and networks; the value is the name on the command line."""

    PASSIVE = "passive"
    ACTIVE = "active"
    ACTIVE_PASSIVE = "active-passive"
    KNET_PASSIVE = "knet-passive"
    KNET_ACTIVE = "knet-active"
    KNET_RR = "knet-rr"


RRP_LAYERS: Final = (Layer.PASSIVE, Layer.ACTIVE, Layer.ACTIVE_PASSIVE)
KNET_LAYERS: Final = frozenset(Layer) - frozenset(RRP_LAYERS)


class Promise(Enum):
    """Which network is whole while others fail."""

    ONE = "one"  # the same all the time
    TURNS = "turns"  # now this, now that, when all were whole in between
    NONE = "none"  # all may fail, and nodes, too: the ring may change


class NetworkFault(Enum):
    """Kinds of faults of one network; the value is the name in reports."""

    CUT = "network cut"
    MUTE = "network mute for a node"
    DEAF = "network deaf for a node"
    SPLIT = "network split"
    ONE_WAY = "network cut one way"
    LOSS = "network with loss"
    LINK_LOSS = "link with loss"
    TOKEN_LOSS = "network without tokens"  # noqa: S105 - a token of another kind
    CLOG = "network clogged"
    FLAP = "network flapping"


@dataclass(slots=True)
class LinkOptions:
    """
    What determines a run besides ``Options``.

    :ivar copies: K of active-passive.
    :ivar slowness: by network, its delay as a multiple of the common one.
    :ivar fault_every_ns: mean intervals between faults of each kind on all networks together.
    :ivar turn_every_ns: mean time that one network stays the whole one.
    :ivar priorities: of knet's links, by network.
    :ivar mtu_bytes: of the networks, where the link layer finds it out.
    :ivar check_ns: interval of tests of a faulty network.
    :ivar count_start: what monitors, sequence numbers and tests of the link layer begin at.
    :ivar sealed: datagrams of the redundant ring are authenticated and encrypted.
    :ivar sealed_start: what the counters of sealed datagrams begin at.
    """

    layer: Layer
    networks: int
    promise: Promise
    copies: int = 2
    slowness: tuple[float, ...] = ()
    fault_every_ns: dict[NetworkFault, int] = field(default_factory=dict)
    fault_length_ns: int = 2 * NS_PER_S
    turn_every_ns: int = 10 * NS_PER_S
    token_expired_ns: int = 47 * NS_PER_MS
    message_delay_ns: int = 10 * NS_PER_MS
    problem_count_ns: int = 2 * NS_PER_S
    problem_threshold: int = 10
    mcast_threshold: int = 100
    check_ns: int = NS_PER_S
    clean_tests: int = 3
    hold_down_ns: int = NS_PER_S
    hold_down_max_ns: int = 8 * NS_PER_S
    hold_down_decay_ns: int = 20 * NS_PER_S
    count_start: int = 0
    sealed: bool = False
    sealed_start: int = 0
    priorities: tuple[int, ...] = (1,)
    mtu_bytes: int = 1500


# A link of knet is up as long as a ping is answered now and then, whatever it loses.
_KNET_DOES_NOT_NOTICE: Final = (
    NetworkFault.LOSS,
    NetworkFault.LINK_LOSS,
    NetworkFault.TOKEN_LOSS,
    NetworkFault.FLAP,
)


def plain_link_options(layer: Layer, networks: int, promise: Promise) -> LinkOptions:
    """Give every kind of fault at a middling strength."""
    every = dict.fromkeys(NetworkFault, 8 * NS_PER_S)
    if layer in KNET_LAYERS and promise is not Promise.NONE:
        every = {f: ns for f, ns in every.items() if f not in _KNET_DOES_NOT_NOTICE}
    copies = max(2, min(networks - 1, 2))
    return LinkOptions(layer, networks, promise, copies, (1.0,) * networks, every)


def draw_link_options(rng: Random, layer: Layer | None, networks: int | None) -> LinkOptions:
    """Draw a swarm for several networks; what is given is not drawn."""
    drawn_layer = rng.choice(RRP_LAYERS)
    layer = layer or drawn_layer
    drawn_networks = rng.choice((2, 2, 2, 3, 3, 4, 8))
    networks = networks or drawn_networks
    if layer is Layer.ACTIVE_PASSIVE:
        networks = max(networks, 3)
    promise = rng.choice((Promise.ONE, Promise.ONE, Promise.TURNS, Promise.NONE))
    options = LinkOptions(layer, networks, promise)
    options.copies = rng.randrange(2, max(3, networks))
    options.slowness = tuple(rng.choice((1.0, 1.0, 1.3, 4.0)) for _ in range(networks))
    for fault in NetworkFault:
        if rng.random() < 0.5:
            options.fault_every_ns[fault] = int(_decades(rng, 0.5, 20.0) * NS_PER_S)
    options.fault_length_ns = int(_decades(rng, 0.05, 10.0) * NS_PER_S)
    options.turn_every_ns = int(_decades(rng, 1.0, 10.0) * NS_PER_S)
    options.problem_threshold = rng.choice((3, 10, 10))
    options.mcast_threshold = options.problem_threshold * rng.choice((5, 10))
    options.check_ns = rng.choice((200, 1000)) * NS_PER_MS
    options.clean_tests = rng.choice((1, 3, 5))
    options.hold_down_ns = rng.choice((100, 1000, 3000)) * NS_PER_MS
    options.hold_down_max_ns = rng.choice((4, 8)) * NS_PER_S
    options.hold_down_decay_ns = rng.choice((2, 20)) * NS_PER_S
    if rng.random() < 0.5:
        options.count_start = rng.choice(COUNT_STARTS)
    options.priorities = tuple(rng.choice((1, 1, 5)) for _ in range(networks))
    options.mtu_bytes = rng.choice((1500, 1500, 9000, 1280))
    if layer in KNET_LAYERS and promise is not Promise.NONE:
        for fault in _KNET_DOES_NOT_NOTICE:
            options.fault_every_ns.pop(fault, None)
    return options


def calm(options: Options) -> None:
    """Take from a drawn run what would lose the ring on one whole network, too."""
    options.fault_every_ns = {}
    options.kind_loss = {}
    options.loss = min(options.loss, 0.005)
    options.corruption = min(options.corruption, 0.005)
    options.truncation = min(options.truncation, 0.005)
    options.duplication = min(options.duplication, 0.05)
    options.reorder = min(options.reorder, 0.05)
    options.late_ns = min(options.late_ns, 20 * NS_PER_MS)
    options.fail_to_recv_const = max(options.fail_to_recv_const, 2500)
    options.socket_frames_max = max(options.socket_frames_max, 400)
    token, retransmit, hold, join, consensus, merge = options.ring_timeouts_ns
    if token < NS_PER_S:
        token, retransmit, hold = (ms * NS_PER_MS for ms in (1000, 238, 180))
        consensus = max(consensus, 1200 * NS_PER_MS)
    options.ring_timeouts_ns = (token, retransmit, hold, join, consensus, merge)


def is_clean(options: Options) -> bool:
    """Tell whether networks without faults lose and repeat nothing."""
    return not (
        options.loss
        or options.duplication
        or options.reorder
        or options.corruption
        or options.truncation
    )


def is_orderly(options: Options, links: LinkOptions) -> bool:
    """Tell whether no message comes behind its token for longer than tokens wait for it."""
    if links.layer in KNET_LAYERS:
        # There tokens wait for nothing.
        return False
    spread_ns = (max(links.slowness) - 1) * options.delay_ns + options.jitter_ns
    late_ns = spread_ns + options.processing_ns
    return options.links_fifo and late_ns < min(links.message_delay_ns, links.token_expired_ns) // 2


def notice_time_ns(options: Options, links: LinkOptions) -> int:
    """
    How long a dead network may stay unnoticed: so many tokens must have been sent on it, each in a
    rotation that waits for a lost token at every node, and that the ring may hold.
    """
    hop_ns = options.delay_ns * max(links.slowness) + options.jitter_ns + options.processing_ns
    hop_ns += 2 * links.token_expired_ns
    rotation_ns = options.ring_timeouts_ns[2] + options.nodes * hop_ns
    return int(rotation_ns * links.networks * (links.problem_threshold + 3) * 2)


def _decades(rng: Random, low: float, high: float) -> float:
    """Draw a number whose logarithm is uniform."""
    return low * exp(log(high / low) * rng.random())
