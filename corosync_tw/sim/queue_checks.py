"""Every queue of the core has a named limit; this looks whether it is kept."""

from collections.abc import Iterator
from typing import Final

from corosync_tw.corotypes import PROCESSOR_COUNT_MAX
from corosync_tw.sim.node import SimNode
from corosync_tw.sim.recorder import stop
from corosync_tw.totem.const import QUEUE_RTR_ITEMS_SIZE_MAX
from corosync_tw.totem.srp import Srp

SELF_FRAMES_MAX: Final = 16


def check_queues(nodes: list[SimNode], now_ns: int) -> None:
    """Stop the run if a queue of any node is longer than its limit."""
    for node in nodes:
        if node.host is None:
            continue
        for name, length, limit in _lengths(node.host.srp):
            if length > limit:
                text = f"{name} holds {length}, the limit is {limit}"
                stop("bounded queues", now_ns, (node.nodeid,), text)


def _lengths(srp: Srp) -> Iterator[tuple[str, int, int]]:
    ring = srp._ring
    yield "sort queue", len(ring.installed), QUEUE_RTR_ITEMS_SIZE_MAX
    if ring.forming is not None:
        yield "recovery sort queue", len(ring.forming), QUEUE_RTR_ITEMS_SIZE_MAX
    yield "frames to ourselves", len(ring.self_frames), SELF_FRAMES_MAX
    yield "proc_set", len(ring.memb.proc_set), PROCESSOR_COUNT_MAX
    yield "fail_set", len(ring.memb.fail_set), PROCESSOR_COUNT_MAX
    yield "messages to recover", len(ring.recovery.retrans_seqs), QUEUE_RTR_ITEMS_SIZE_MAX
    yield "effects", len(ring.effects), 0
