"""
Counters driven across the boundaries of their numbers: ``python -m tests.soak.boundaries``.

Each cell of the matrix is some runs of the simulator in which a counter begins just below a
boundary while frames are lost, nodes crash, leave, are cut off from each other and come back. What
was crossed is read from the datagrams on the networks, or from the nodes where nothing is sent. A
crossing is two readings of one node in one life, one below the boundary and the next not. The table
that is printed is the one of docs/boundaries.rst.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from struct import Struct
from typing import NamedTuple

from corosync_tw.corotypes import NS_PER_S
from corosync_tw.sim import snoop
from corosync_tw.sim.cluster import Cluster
from corosync_tw.sim.link_options import (
    Layer,
    LinkOptions,
    NetworkFault,
    Promise,
    plain_link_options,
)
from corosync_tw.sim.options import Fault, Options
from corosync_tw.totem.const import RING_SEQ_STEP, MembState
from corosync_tw.totem.rrp.frames import PROBE_KINDS
from corosync_tw.totem.rrp.monitor import COUNT_MAX
from corosync_tw.totem.rrp.probe import NoAuthenticator, Probe, decode_probe

COLUMNS = (15, 16, 31, 32)
SEEDS = 4
FAULT_PHASE_NS = 6 * NS_PER_S
MS = 1_000_000
U32 = 1 << 32
U64 = 1 << 64
# Numbers that a seq of knet can have: 1 to this.
KNET_SEQS = 65535
# What a monitor's highest count is made when it exceeds COUNT_MAX.
SMALLER_COUNT = COUNT_MAX // 2
_KNET_DATA = 0x00
_KNET_PING = 0x81
_KNET_SEQ = Struct(">6xH")
# Link; seconds, in the byte order of the sender.
_KNET_TIME = Struct("<6xBq")
_COUNTER = Struct(">16xQ")

# Which counter (any key), its value.
Reading = tuple[tuple[object, ...], int]


@dataclass(slots=True)
class Row:
    """
    A counter.

    :ivar modulo: how many values it has.
    :ivar distances: how far below the boundary it begins, by seed.
    :ivar set_start: gives a run the value that the counter begins with.
    :ivar on_wire: reads it from a datagram.
    :ivar in_node: reads it from a cluster now and then, if nothing is sent of it.
    :ivar options: of a run, by seed.
    :ivar by_network: each network has a counter of its own.
    :ivar boundaries: by column; other columns mean nothing to this counter.
    """

    name: str
    modulo: int
    distances: tuple[int, ...]
    set_start: Callable[[Options, LinkOptions, int], None]
    options: Callable[[int], tuple[Options, LinkOptions | None]]
    on_wire: Callable[[bytes], Iterator[Reading]] | None = None
    in_node: Callable[[Cluster], Iterator[tuple[int, Reading]]] | None = None
    by_network: bool = False
    boundaries: dict[int, int] = field(
        default_factory=lambda: {column: 1 << column for column in COLUMNS}
    )


class Cell(NamedTuple):
    """
    What was seen.

    :ivar crossings: by (seed, index of the node).
    :ivar in_recovery: how many of them were in a recovery.
    :ivar nodes: of all runs together.
    :ivar faults: what happened meanwhile.
    """

    crossings: Counter[tuple[int, int]]
    in_recovery: int
    nodes: int
    faults: Counter[str]

    def text(self) -> str:
        """Say how often and at how many nodes the boundary was crossed."""
        recovery = f" ({self.in_recovery})" if self.in_recovery else ""
        return f"{self.crossings.total()}{recovery} at {len(self.crossings)}/{self.nodes}"


class Watch:
    """Sees a counter of all nodes pass the boundary in one run."""

    def __init__(self, row: Row, boundary: int, cluster: Cluster) -> None:
        self.row = row
        self.boundary = boundary
        self.cluster = cluster
        self.last: dict[tuple[object, ...], int] = {}
        self.crossings: Counter[int] = Counter()
        self.in_recovery = 0
        if row.on_wire is not None:
            for network in cluster.networks:
                network.tap = partial(self._heard, network.number)

    def _heard(self, number: int | None, sender: int, datagrams: tuple[bytes, ...]) -> None:
        assert self.row.on_wire is not None
        network = number if self.row.by_network else None
        for datagram in datagrams:
            for key, value in self.row.on_wire(datagram):
                self._read(sender, (network, *key), value)

    def look(self, _now_ns: int) -> None:
        """Read the nodes."""
        if self.row.in_node is not None:
            for index, (key, value) in self.row.in_node(self.cluster):
                self._read(index, key, value)

    def _read(self, index: int, key: tuple[object, ...], value: int) -> None:
        node = self.cluster.nodes[index]
        key = (index, node.incarnation, *key)
        before = self.last.get(key)
        self.last[key] = value
        if before is None:
            return
        modulo = self.row.modulo
        step = (value - before) % modulo
        if 0 < (self.boundary - before) % modulo <= step < modulo // 2:
            self.crossings[index] += 1
            if node.host is not None and node.host.srp.state is MembState.RECOVERY:
                self.in_recovery += 1


def run_cell(row: Row, column: int, seeds: int = SEEDS) -> Cell:
    """
    Drive a counter across a boundary.

    Raises: AssertionError when a rule of the simulator is broken, or nothing was crossed.
    """
    boundary = row.boundaries[column]
    crossings: Counter[tuple[int, int]] = Counter()
    faults: Counter[str] = Counter()
    in_recovery = nodes = 0
    for seed in range(seeds):
        options, links = row.options(seed)
        start = (boundary - row.distances[seed % len(row.distances)]) % row.modulo
        row.set_start(options, links or LinkOptions(Layer.PASSIVE, 2, Promise.NONE), start)
        cluster = Cluster(options, links)
        watch = Watch(row, boundary, cluster)
        result = cluster.run(watch.look)
        where = f"{row.name}, 2^{column}, seed {seed}"
        assert result.violation is None, f"{where}: {result.violation}"
        assert watch.crossings, f"{where}: the boundary was not crossed"
        nodes += options.nodes
        in_recovery += watch.in_recovery
        crossings.update({(seed, index): count for index, count in watch.crossings.items()})
        faults.update(result.faults)
    return Cell(crossings, in_recovery, nodes, faults)


# -- what is run


def troubled(seed: int) -> tuple[Options, None]:
    """Give a ring whose nodes fail, leave and are cut off, and which loses frames."""
    options = Options(seed, 3 + seed % 2, FAULT_PHASE_NS, full_stack=seed % 2 == 1)
    token, retransmit, hold, join, consensus, merge = (300, 71, 47, 20, 360, 50)
    options.ring_timeouts_ns = (
        token * MS,
        retransmit * MS,
        hold * MS,
        join * MS,
        consensus * MS,
        merge * MS,
    )
    options.loss = 0.02
    options.receive_offload = seed % 2 == 0
    options.accelerated_ring = options.adaptive_window = seed % 4 > 1
    options.fault_every_ns = {
        Fault.CRASH: 3 * NS_PER_S,
        Fault.LEAVE: 3 * NS_PER_S,
        Fault.PARTITION: 2 * NS_PER_S,
    }
    options.workload_gap_ns = 10 * MS
    options.message_bytes_max = 3000
    return options, None


def troubled_networks(
    layers: tuple[Layer, ...], *, sealed: bool = False
) -> Callable[[int], tuple[Options, LinkOptions]]:
    """Give likewise rings over two networks, which fail as well, one or both."""

    def options_of(seed: int) -> tuple[Options, LinkOptions]:
        options, _ = troubled(seed)
        options.fault_every_ns = dict.fromkeys(options.fault_every_ns, 4 * NS_PER_S)
        links = plain_link_options(layers[seed % len(layers)], 2, Promise.NONE)
        links.fault_every_ns = {NetworkFault.CUT: NS_PER_S, NetworkFault.LOSS: 3 * NS_PER_S}
        links.fault_length_ns = NS_PER_S // 2
        links.check_ns = 100 * MS
        links.clean_tests = 2
        links.hold_down_ns, links.hold_down_max_ns = 100 * MS, NS_PER_S
        links.problem_threshold = 3
        links.sealed = sealed
        return options, links

    return options_of


# -- where counters begin


def start_seq(options: Options, _links: LinkOptions, start: int) -> None:
    options.seqno_start = start


def start_token_seq(options: Options, _links: LinkOptions, start: int) -> None:
    options.token_seq_start = start


def start_ring_seq(options: Options, _links: LinkOptions, start: int) -> None:
    options.ring_seq_start = start


def start_links(_options: Options, links: LinkOptions, start: int) -> None:
    links.count_start = start


def start_smaller(_options: Options, links: LinkOptions, start: int) -> None:
    links.count_start = start + SMALLER_COUNT


def start_sealed(_options: Options, links: LinkOptions, start: int) -> None:
    links.sealed_start = start


def start_clocks(options: Options, _links: LinkOptions, start: int) -> None:
    options.clock_start_ns = start * NS_PER_S


# -- where they are read


def tokens_of(frame: bytes) -> Iterator[snoop.TokenFacts]:
    """Read a token, if the frame is one."""
    if len(frame) > snoop.TYPE_OFFSET and frame[snoop.TYPE_OFFSET] == snoop.ORF_TOKEN:
        yield snoop.token_facts(frame)


def seq_of(frame: bytes) -> Iterator[Reading]:
    for token in tokens_of(frame):
        yield (token.ring_id,), token.seq


def token_seq_of(frame: bytes) -> Iterator[Reading]:
    for token in tokens_of(frame):
        yield (token.ring_id,), token.token_seq


def ring_seq_of(frame: bytes) -> Iterator[Reading]:
    for token in tokens_of(frame):
        yield (), token.ring_id.seq


def tests_of(frame: bytes) -> Iterator[Probe]:
    """Read a test of a network, if the frame is one."""
    if len(frame) > snoop.TYPE_OFFSET and frame[snoop.TYPE_OFFSET] in PROBE_KINDS:
        probe = decode_probe(frame, NoAuthenticator())
        assert isinstance(probe, Probe)
        yield probe


def number_of(frame: bytes) -> Iterator[Reading]:
    for probe in tests_of(frame):
        yield (probe.network, probe.activator), probe.number


def generation_of(frame: bytes) -> Iterator[Reading]:
    for probe in tests_of(frame):
        yield (probe.network, probe.activator), probe.generation


def knet_seq_of(packet: bytes) -> Iterator[Reading]:
    if packet[1] == _KNET_DATA:
        yield (), _KNET_SEQ.unpack_from(packet)[0]


def knet_time_of(packet: bytes) -> Iterator[Reading]:
    if packet[1] == _KNET_PING:
        link, seconds = _KNET_TIME.unpack_from(packet)
        yield (link,), seconds


def counter_of(datagram: bytes) -> Iterator[Reading]:
    yield (), _COUNTER.unpack_from(datagram)[0]


def monitors_of(cluster: Cluster) -> Iterator[tuple[int, Reading]]:
    for node in cluster.nodes:
        if node.links is None:
            continue
        judge = node.links.layer._judge
        for sender, monitor in {0: judge._tokens, **judge._messages.senders}.items():
            for network, count in enumerate(monitor.counts):
                yield node.index, ((sender, network), count)


def smaller_of(cluster: Cluster) -> Iterator[tuple[int, Reading]]:
    for index, (key, count) in monitors_of(cluster):
        yield index, (key, count - SMALLER_COUNT)


RRP = troubled_networks((Layer.PASSIVE, Layer.ACTIVE))
PASSIVE = troubled_networks((Layer.PASSIVE,))
KNET = troubled_networks((Layer.KNET_PASSIVE, Layer.KNET_ACTIVE, Layer.KNET_RR))
SEALED = troubled_networks((Layer.PASSIVE, Layer.ACTIVE), sealed=True)
NEAR = (1, 3, 20, 300)

ROWS = (
    Row("message seq", U32, NEAR, start_seq, troubled, seq_of),
    Row("token_seq", U32, NEAR, start_token_seq, troubled, token_seq_of),
    Row(
        "ring seq",
        U64,
        tuple(RING_SEQ_STEP * rings + 1 for rings in (3, 4, 6, 5)),
        start_ring_seq,
        troubled,
        ring_seq_of,
    ),
    Row(
        "RRP monitor counts",
        U64,
        (1, 20, 60, 100),
        start_links,
        PASSIVE,
        in_node=monitors_of,
        boundaries={15: 1 << 15, 16: 1 << 16},
    ),
    Row(
        "... made smaller (1)",
        COUNT_MAX + 1 - SMALLER_COUNT,
        (1, 20, 60, 100),
        start_smaller,
        PASSIVE,
        in_node=smaller_of,
        boundaries={31: 0},
    ),
    Row("RRP test numbers", U32, (2, 3, 4, 3), start_links, RRP, number_of),
    Row("RRP test generations", U32, (2,), start_links, RRP, generation_of),
    Row(
        "knet data seq (2)",
        KNET_SEQS,
        (2, 5, 100, 500),
        start_links,
        KNET,
        knet_seq_of,
        boundaries={15: 1 << 15, 16: 1 << 16},
    ),
    Row("knet ping times (3)", U64, (1, 2, 3, 4), start_clocks, KNET, knet_time_of),
    Row("AEAD counters", U64, (2, 5, 100, 1000), start_sealed, SEALED, counter_of, by_network=True),
)


# -- the table


def table(cells: dict[tuple[str, int], Cell]) -> str:
    """Draw the matrix."""
    head = ["counter", *(f"2^{column}" for column in COLUMNS)]
    rows = [
        [row.name, *(_cell_text(cells.get((row.name, column))) for column in COLUMNS)]
        for row in ROWS
        if any(name == row.name for name, _ in cells)
    ]
    widths = [max(map(len, texts)) for texts in zip(head, *rows, strict=True)]
    rule = "  ".join("=" * width for width in widths)
    lines = [
        "  ".join(text.ljust(width) for text, width in zip(texts, widths, strict=True)).rstrip()
        for texts in (head, *rows)
    ]
    return "\n".join([rule, lines[0], rule, *lines[1:], rule])


def _cell_text(cell: Cell | None) -> str:
    return "\\-" if cell is None else cell.text()


def main(arguments: list[str]) -> int:
    """Run the matrix."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.boundaries", description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS, help="runs of each cell")
    parser.add_argument("--rows", choices=[row.name for row in ROWS], nargs="+", help="only these")
    chosen = parser.parse_args(arguments)
    cells: dict[tuple[str, int], Cell] = {}
    faults: Counter[str] = Counter()
    failed = False
    for row in ROWS:
        if chosen.rows and row.name not in chosen.rows:
            continue
        for column in row.boundaries:
            try:
                cell = run_cell(row, column, chosen.seeds)
            except AssertionError as error:
                failed = True
                print(f"FAILED {error}", flush=True)
                continue
            cells[row.name, column] = cell
            faults.update(cell.faults)
            print(f"{row.name}, 2^{column}: {cell.text()}", file=sys.stderr, flush=True)
    print(table(cells))
    print(f"{chosen.seeds} runs a cell; meanwhile, in all runs together:")
    for name, count in sorted(faults.items()):
        print(f"  {name:36} {count}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
