"""
Counters driven across powers of two on real daemons, while datagrams are lost, nodes join, leave
and die; what is counted was seen on the wire on both sides of the boundary.

Message and token numbers begin anew with every ring, so that each ring of such a run crosses its
boundary. The numbers of rings are in the nodes' state; a node that joins with a higher one takes
the ring along. Knet's, sealed datagrams' and redundant rings' counters live as long as a process
and are told to go on from just below the boundary.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from corosync_tw.totem.rrp.monitor import COUNT_MAX
from tests.interop.boundary_bed import (
    BELOW,
    BOUNDARIES,
    CROSSING_WITHIN_S,
    LOSS_PERCENT,
    NEAR,
    NODES,
    SOON_BELOW,
    WITHIN_S,
    BoundaryNode,
    Cell,
    Run,
)
from tests.interop.netbed import NetBed, wait_until

# Messages are missing by then.
LOSING_S = 1.0
# Some rings have little to recover, and some newcomers form one more ring than others.
DEATHS_MAX = 4


def of_rings(
    bed: NetBed, workdir: Path, boundary: str, stock: list[int], *, messages: bool, tokens: bool
) -> list[Cell]:
    """
    Cross with messages, tokens and numbers of rings: node 3 joins with loss, leaves, joins, dies.

    :param messages: stock counts its messages from 0, likewise ``tokens``.
    """
    value = BOUNDARIES[boundary]
    run = Run(bed, workdir, stock)
    cluster = run.cluster
    starts = {}
    if messages:
        starts["message"] = (value - BELOW) % (1 << 32)
    if tokens:
        starts["token"] = (value - BELOW) % (1 << 32)
    every = dict.fromkeys(starts, value)
    died = {("recovered" if name == "message" else name): value for name in starts}
    with run.living():
        run.lose(LOSS_PERCENT)
        for nodeid in NODES[:2]:
            cluster.store_ring(nodeid, value - 400)
        begin_s = time.monotonic()
        cluster.start_at(NODES[:2], **starts)
        run.quorate(*NODES[:2])
        clients = cluster.load()
        cluster.wait_members(clients, 2, WITHIN_S)
        run.seek(begin_s, "loss", boundary, every)
        run.lose(0)
        # Tells how far the number of a ring is beyond the one that its newcomer remembers.
        cluster.store_ring(3, value - 200)
        begin_s = time.monotonic()
        cluster.start_at([3], **starts)
        run.quorate(*NODES)
        run.seek(begin_s, "join", boundary, every)
        ahead = run.ring_seq() - (value - 200)
        begin_s = time.monotonic()
        cluster.nodes[3].leave()
        run.quorate(*NODES[:2])
        run.seek(begin_s, "leave", boundary, every)
        cluster.store_ring(3, value - 4 - ahead)
        waiting = {**died, "ring": value}
        for attempt in range(1, DEATHS_MAX + 1):
            cluster.start_at([3], **starts)
            run.quorate(*NODES)
            begin_s = time.monotonic()
            run.lose(LOSS_PERCENT)
            time.sleep(LOSING_S)
            cluster.nodes[3].sigkill()
            run.quorate(*NODES[:2])
            waiting = run.seek(begin_s, "recovery", boundary, waiting, attempt < DEATHS_MAX)
            run.lose(0)
            if not waiting:
                break
        cluster.check_same(clients)
        cluster.assert_alive(NODES[:2])
    return run.cells


def of_ring_numbers(
    bed: NetBed, workdir: Path, boundary: str, during: str, stock: list[int]
) -> list[Cell]:
    """Cross with the number of a ring that forms with loss, by a join, or by a leave."""
    value = BOUNDARIES[boundary]
    run = Run(bed, workdir, stock)
    cluster = run.cluster
    with run.living():
        for nodeid in NODES[:2]:
            cluster.store_ring(nodeid, value - 400)
        cluster.start_at(NODES[:2])
        run.quorate(*NODES[:2])
        remembered = value - 200 if during == "leave" else value - 4
        if during == "loss":
            run.lose(LOSS_PERCENT)
        cluster.store_ring(3, remembered)
        begin_s = time.monotonic()
        cluster.start_at([3])
        run.quorate(*NODES)
        if during == "leave":
            ahead = run.ring_seq() - remembered
            cluster.nodes[3].leave()
            run.quorate(*NODES[:2])
            cluster.store_ring(3, value - 4 - ahead)
            cluster.start_at([3])
            run.quorate(*NODES)
            begin_s = time.monotonic()
            time.sleep(LOSING_S)
            cluster.nodes[3].leave()
            run.quorate(*NODES[:2])
        run.seek(begin_s, during, boundary, {"ring": value})
        cluster.assert_alive(NODES[:2])
    return run.cells


def of_processes(
    bed: NetBed,
    workdir: Path,
    counter: str,
    boundaries: Iterable[str],
    stock: list[int],
    **conf: object,
) -> list[Cell]:
    """
    Cross with counters that live as long as a process; another node crosses each time.

    Node 3 loses datagrams, node 1 sees it leave, node 3 joins, node 2 sees it die. When node 3 is a
    stock node, node 1 crosses while datagrams are lost, node 2 sees the stock node die.
    """
    run = Run(bed, workdir, stock, **conf)
    cluster = run.cluster
    ours = {node.nodeid: node for node in cluster.ours()}
    with run.living():
        cluster.start()
        run.quorate(*NODES)
        clients = cluster.load()
        cluster.wait_members(clients, 2, WITHIN_S)
        for boundary in boundaries:
            value = BOUNDARIES[boundary]
            below = {counter: value - SOON_BELOW}
            step = _stepper(run, boundary, {counter: value})
            with step("loss"):
                run.lose(LOSS_PERCENT)
                ours[1 if stock else 3].tell(**below)
            run.lose(0)
            if not stock:
                with step("leave"):
                    ours[1].tell(**below)
                    cluster.nodes[3].leave()
                    run.quorate(*NODES[:2])
                with step("join"):
                    cluster.start_at([3], **{counter: value - BELOW})
                    run.quorate(*NODES)
            with step("recovery"):
                ours[2].tell(**below)
                cluster.nodes[3].sigkill()
                run.quorate(*NODES[:2])
            cluster.start_at([3])
            run.quorate(*NODES)
        cluster.check_same(clients)
        cluster.assert_alive(NODES)
    return run.cells


def _stepper(run: Run, boundary: str, counters: Mapping[str, int]) -> Callable[[str], object]:
    @contextmanager
    def step(during: str) -> Iterator[None]:
        begin_s = time.monotonic()
        yield
        run.seek(begin_s, during, boundary, counters)

    return step


# Redundant rings make counts smaller at the last one: they reach no more.
RRP_BOUNDARIES = {"2^15": 1 << 15, "2^16": 1 << 16, "2^30": 1 << 30}


def of_redundant_rings(bed: NetBed, workdir: Path) -> list[Cell]:
    """Cross with the counts of receptions, which are on no wire: their owner tells them."""
    run = Run(bed, workdir, [], totem_extra="    rrp_mode: passive\n")
    cluster = run.cluster
    first = cluster.ours()[0]
    with run.living():
        cluster.start()
        run.quorate(*NODES)
        clients = cluster.load()
        cluster.wait_members(clients, 2, WITHIN_S)
        for boundary, value in RRP_BOUNDARIES.items():
            for during in ("loss", "leave", "join", "recovery"):
                before = first.tell(rrp=value - SOON_BELOW)
                _disturb(run, during)
                run.note("rrp", boundary, during, _counts_crossing(first, before, value))
                run.lose(0)
        for network in range(2):
            for node in cluster.nodes.values():
                assert f"interface 10.77.{5 + network}" not in node.log_text(), (
                    run.cluster.tail_logs()
                )
        cluster.check_same(clients)
    return run.cells


def _disturb(run: Run, during: str) -> None:
    """Do what a step is named for; node 3 is up before and after but for a leave."""
    third = run.cluster.nodes[3]
    if during == "loss":
        run.lose(1)
        return
    if during == "join":
        third.start()
        run.quorate(*NODES)
        return
    if during == "leave":
        third.leave()
    else:
        third.sigkill()
    run.quorate(*NODES[:2])
    if during == "recovery":
        third.start()
        run.quorate(*NODES)


def _counts_crossing(node: BoundaryNode, before: Mapping[str, list[int]], value: int) -> str:
    """Wait until all counts of a monitor have passed a value, or begun anew below it."""
    seen = ""

    def crossed() -> bool:
        nonlocal seen
        for name, counts in node.tell().items():
            was = max(before.get(name, [0]))
            begun_anew = value > COUNT_MAX and COUNT_MAX // 2 <= min(counts) < value - NEAR
            if value - NEAR < was < value and (min(counts) >= value or begun_anew):
                seen = f"-{value - was} " + ("anew" if begun_anew else f"+{min(counts) - value}")
                return True
        return False

    try:
        wait_until("counts beyond the boundary", crossed, CROSSING_WITHIN_S, 0.3)
    except AssertionError:
        return ""
    return seen
