"""
What is measured: systems, beds, and which sizes on which bed.

The bed of the goals is measured in full; the others at a few sizes with the systems that come into
question for the best, so that all of it ends within ten minutes.
"""

from dataclasses import dataclass, field, replace

STOCK, OURS = "stock", "ours"
SIZES = (64, 320, 1600, 8000, 40_000, 200_000, 1_000_000)
FEW_SIZES = (64, 1600, 40_000)
GOAL_BED = "3 nodes, MTU 1500"
# The load of a paced client, and the size at which the share of bare sockets is taken.
LOAD_SIZE = 1600
BARE_SIZE = 40_000
TUNED_WINDOWS = "    window_size: 300\n    max_messages: 100\n"


@dataclass(frozen=True)
class System:
    """
    One kind of ring: whose daemon, on which transport, how configured.

    :ivar directives: of the totem section; KEYFILE stands for the path of a key. ``logging`` are
        those of that section.
    """

    name: str
    kind: str
    transport: str
    directives: str = ""
    env: dict = field(default_factory=dict)
    networks: int = 1
    logging: str = ""


def _stock(transport):
    return [
        System(f"stock {transport}", STOCK, transport),
        System(f"stock {transport} 300/100", STOCK, transport, TUNED_WINDOWS),
    ]


PLAIN = {"COROSYNC_TW_KERNELS": "plain"}
SYSTEMS = {
    system.name: system
    for system in (
        *_stock("knet"),
        *_stock("udpu"),
        *_stock("udp"),
        System("ours udpu", OURS, "udpu"),
        System("ours udp", OURS, "udp"),
        System("ours udpu plain", OURS, "udpu", env=PLAIN),
        System("ours udp plain", OURS, "udp", env=PLAIN),
    )
}
ALL = tuple(SYSTEMS)
ENCRYPTED = "    crypto_cipher: aes256\n    crypto_hash: sha256\n    keyfile: KEYFILE\n"


def _linked(kind, mode):
    """Rings of knet over two networks."""
    tuned = TUNED_WINDOWS if kind == STOCK else ""
    directives = f"    link_mode: {mode}\n{tuned}"
    return System(f"{kind} knet {mode}", kind, "knet", directives, networks=2)


ONE_LINK = (
    SYSTEMS["stock knet 300/100"],
    System("ours knet", OURS, "knet"),
    System("stock knet aes256 300/100", STOCK, "knet", ENCRYPTED + TUNED_WINDOWS),
    System("ours knet aes256", OURS, "knet", ENCRYPTED),
)
TWO_NETWORKS = (
    *(_linked(kind, mode) for mode in ("passive", "active") for kind in (STOCK, OURS)),
    System("ours udpu, one network", OURS, "udpu"),
    System("ours udpu rrp passive", OURS, "udpu", "    rrp_mode: passive\n", networks=2),
    System("ours udpu rrp active", OURS, "udpu", "    rrp_mode: active\n", networks=2),
)
# Here the networks are the limit, not the processor.
SLOW_MBIT_PER_S = 100
SLOW_NETWORKS = ("ours udpu, one network", "ours udpu rrp passive", "stock knet 300/100")
UNRECORDED = System("ours udpu, no recorder", OURS, "udpu", logging="    blackbox: off\n")
SYSTEMS |= {system.name: system for system in (*ONE_LINK, *TWO_NETWORKS, UNRECORDED)}
UNICAST = ("stock knet 300/100", "stock udpu 300/100")
TUNED = (*UNICAST, "stock udp 300/100")
FAST = ("ours udpu", "ours udp")


@dataclass(frozen=True)
class Bed:
    """
    Nodes on one bridge, and what is measured there.

    :ivar sizes: of one sender's messages; ``all_sizes`` those of all nodes' at once.
    :ivar full: round trips, idle and loaded, and idle processor time as well.
    """

    nodes: int
    mtu: int
    systems: tuple
    sizes: tuple
    all_sizes: tuple = ()
    full: bool = False
    bare: bool = False

    @property
    def name(self):
        return f"{self.nodes} nodes, MTU {self.mtu}"


@dataclass(frozen=True)
class Timing:
    """Seconds that things last, and how often they are done."""

    runs: int = 5
    warm_s: float = 0.08
    flood_s: float = 0.3
    idle_s: float = 4.0
    trips: int = 1500
    trips_s: float = 0.3
    loaded_s: float = 0.4


WHOLE = (
    Bed(3, 1500, ALL, SIZES, FEW_SIZES, full=True, bare=True),
    Bed(3, 9000, (*TUNED, *FAST), FEW_SIZES, bare=True),
    *(Bed(nodes, 1500, (*UNICAST, *FAST), FEW_SIZES) for nodes in (2, 5, 8)),
)
QUICK = (
    Bed(
        3,
        1500,
        ("stock knet 300/100", "stock udp 300/100", *FAST),
        (64, 1600, 40_000, 1_000_000),
        (1600,),
        full=True,
        bare=True,
    ),
)
WHOLE_TIMING = Timing()
QUICK_TIMING = Timing(
    runs=2, warm_s=0.05, flood_s=0.25, idle_s=1.5, trips=800, trips_s=0.25, loaded_s=0.3
)


def chosen(beds, *, nodes=(), mtus=(), systems=(), sizes=()):
    """
    Narrow beds down to what was asked for; what no bed has is asked of the bed of the goals.

    :param systems: names, or words that names begin with.
    """
    first = beds[0]
    beds = [bed for bed in beds if not mtus or bed.mtu in mtus]
    beds = [bed for bed in beds if not nodes or bed.nodes in nodes]
    if not beds:
        beds = [replace(first, nodes=n, mtu=m) for n in nodes or (3,) for m in mtus or (1500,)]
    if systems:
        beds = [replace(bed, systems=named(systems)) for bed in beds]
    if sizes:
        beds = [
            replace(bed, sizes=tuple(sizes), all_sizes=_both(bed.all_sizes, sizes)) for bed in beds
        ]
    return tuple(beds)


def named(words):
    """Give the systems of these names; a word that is no name means all that begin with it."""
    return tuple(
        name
        for name in ALL
        if any(name == w or (w not in ALL and name.startswith(w)) for w in words)
    )


def _both(sizes, wanted):
    return tuple(size for size in sizes if size in wanted)
