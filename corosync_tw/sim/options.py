"""
Options of a run. Each seed draws its own: which faults exist, how often, how bad (swarm testing).

A run whose faults are all weak finds what a run with every fault at full strength cannot, because
there nothing ever
completes; so every knob is absent in about half of the seeds and spread over decades in the rest.
"""

from dataclasses import dataclass, field, fields
from enum import Enum
from math import exp, log
from random import Random
from typing import Any, Final

from corosync_tw.corotypes import NS_PER_MS, NS_PER_S

DELIVERED_FRAMES_PER_S_MAX: Final = 3000

SEQNO_STARTS: Final = tuple(
    (centre + delta) & 0xFFFFFFFF
    for centre in (0, 0x7FFFFFFF, 0xFFFFFFFF)
    for delta in (0, 1, -1, 2, -2, 50, -50, -16384, -65535, -65536, -65537)
)


class Fault(Enum):
    """Kinds of faults that come at random moments; the value is the name in reports."""

    CRASH = "crash"
    LEAVE = "leave"
    PAUSE = "pause"
    PARTITION = "partition"
    ONE_WAY = "one-way cut"
    CLOG = "clog"
    TOKEN_STORM = "token loss"  # noqa: S105 - a token of another kind


@dataclass(slots=True)
class Options:
    """
    All that determines a run, besides the code.

    Probabilities are for each frame and receiver; ``*_every_ns`` are mean intervals in the whole
    cluster, 0 for never.

    :ivar adaptive_window: nodes announce how many frames their sockets hold.
    :ivar accelerated_ring: nodes announce that they can send behind the token.
    :ivar ring_seq_start: what nodes find on their disks as the number of their last ring.
    :ivar ring_timeouts_ns: token, retransmit, hold, join, consensus, merge.
    :ivar kind_loss: further loss by kind of frame, number of the kind to probability.
    :ivar clock_start_ns: what all clocks show at the beginning, besides an offset of their own.
    :ivar workload_gap_ns: mean pause of one sender between bursts.
    :ivar process_churn: probability that a process leaves or dies, 50 times a second and node.
    :ivar storage_delay_ns: most time that making a ring id durable takes.
    """

    seed: int
    nodes: int
    fault_phase_ns: int
    heal_work_ns: int = 1 * NS_PER_S
    ring_timeouts_ns: tuple[int, int, int, int, int, int] = (
        1000 * NS_PER_MS,
        238 * NS_PER_MS,
        180 * NS_PER_MS,
        50 * NS_PER_MS,
        1200 * NS_PER_MS,
        200 * NS_PER_MS,
    )
    window_size_msgs: int = 50
    max_messages: int = 17
    adaptive_window: bool = False
    accelerated_ring: bool = False
    accelerated_window_msgs: int = 0
    fail_to_recv_const: int = 2500
    miss_count_const: int = 5
    seqno_unchanged_const: int = 30
    cancel_token_hold_on_retransmit: bool = False
    send_join_timeout_ns: int = 0
    frame_len_bytes_max: int = 1472
    seqno_start: int = 0
    token_seq_start: int = 0
    ring_seq_start: int = 0
    delay_ns: int = 200_000
    jitter_ns: int = 50_000
    processing_ns: int = 20_000
    receive_offload: bool = False
    storage_delay_ns: int = 0
    links_fifo: bool = True
    loss: float = 0.0
    kind_loss: dict[int, float] = field(default_factory=dict)
    duplication: float = 0.0
    reorder: float = 0.0
    corruption: float = 0.0
    truncation: float = 0.0
    late_ns: int = 20 * NS_PER_MS
    socket_frames_max: int = 4000
    fault_every_ns: dict[Fault, int] = field(default_factory=dict)
    fault_length_ns: int = 500 * NS_PER_MS
    clock_start_ns: int = 0
    clock_offset_ns: int = 0
    clock_drift_ppm: int = 0
    workload_gap_ns: int = 20 * NS_PER_MS
    burst_messages_max: int = 10
    message_bytes_max: int = 2000
    safe_share: float = 0.3
    senders: int = 64
    process_churn: float = 0.0
    full_stack: bool = False
    wait_for_all: bool = False
    expected_votes_tracking: bool = False
    ykd: bool = False

    def receive_msgs(self, nodeid: int) -> int:
        """
        Tell how many frames a node says that its socket holds; 0 when it says nothing.

        Nodes differ: some leave room, none claims more than there is.
        """
        if not self.adaptive_window:
            return 0
        return max(1, self.socket_frames_max // (1 + nodeid * 31 % 4))

    def text(self) -> str:
        """Show every option, one a line."""
        return as_text(self)


def as_text(options: Any) -> str:
    """Show every field of a dataclass, one a line."""
    rows = []
    for item in fields(options):
        value = getattr(options, item.name)
        if isinstance(value, dict):
            pairs = (f"{getattr(k, 'value', k)}: {v}" for k, v in value.items())
            value = "{" + ", ".join(pairs) + "}"
        rows.append(f"  {item.name:32} {value}")
    return "\n".join(rows)


def _decades(rng: Random, low: float, high: float) -> float:
    """Draw a number whose logarithm is uniform."""
    return low * exp(log(high / low) * rng.random())


def draw_options(rng: Random, seed: int, nodes: int, fault_phase_ns: int) -> Options:
    """Draw a swarm: each fault exists or not, with its own strength."""
    options = Options(seed, nodes, fault_phase_ns)
    _draw_ring(rng, options)
    _draw_network(rng, options)
    _draw_faults(rng, options)
    _draw_workload(rng, options)
    # By the seed alone: a draw more would change every run that was ever kept. Rules that may let
    # two partitions be quorate after enough splits (last_man_standing, auto_tie_breaker,
    # allow_downscale) are compared with stock instead.
    options.wait_for_all = seed % 3 == 0
    options.expected_votes_tracking = seed % 5 == 0
    options.receive_offload = seed % 4 > 0
    options.accelerated_ring = seed // 2 % 2 == 0
    options.adaptive_window = seed // 4 % 2 == 0
    options.accelerated_window_msgs = (0, 0, 1, 3)[seed // 8 % 4]
    return options


def draw_nodes(rng: Random) -> int:
    """Draw a cluster size: mostly small, where interleavings are dense."""
    return rng.choice((1, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 7, 9))


def _draw_ring(rng: Random, options: Options) -> None:
    token_ms = rng.choice((200, 300, 500, 1000))
    retransmit_ms = int(token_ms / 4.2)
    hold_ms = max(10, int(retransmit_ms * 0.8 - 10))
    consensus_ms = int(token_ms * rng.choice((1.2, 1.2, 2.0)))
    join_ms = rng.choice((20, 50))
    merge_ms = rng.choice((50, 200))
    times = (token_ms, retransmit_ms, hold_ms, join_ms, consensus_ms, merge_ms)
    token, retransmit, hold, join, consensus, merge = (t * NS_PER_MS for t in times)
    options.ring_timeouts_ns = (token, retransmit, hold, join, consensus, merge)
    options.window_size_msgs = rng.choice((5, 20, 50, 50, 200))
    options.max_messages = rng.choice((1, 5, 17, 17, 20))
    options.fail_to_recv_const = rng.choice((10, 50, 2500, 2500))
    options.miss_count_const = rng.choice((1, 5, 5))
    options.seqno_unchanged_const = rng.choice((1, 5, 30))
    options.cancel_token_hold_on_retransmit = rng.random() < 0.3
    options.send_join_timeout_ns = rng.choice((0, 0, 10)) * NS_PER_MS
    options.frame_len_bytes_max = rng.choice((700, 1472, 1472, 9000, 65000))
    if rng.random() < 0.5:
        options.seqno_start = rng.choice(SEQNO_STARTS)
    if rng.random() < 0.5:
        options.token_seq_start = rng.choice(SEQNO_STARTS)


def _draw_network(rng: Random, options: Options) -> None:
    options.delay_ns = int(_decades(rng, 100_000, 3_000_000))
    options.jitter_ns = int(options.delay_ns * rng.choice((0.0, 0.2, 1.0)))
    options.processing_ns = rng.choice((0, 10_000, 100_000, 1_000_000))
    options.storage_delay_ns = rng.choice((0, 0, 5, 50)) * NS_PER_MS
    options.links_fifo = rng.random() < 0.7
    if rng.random() < 0.5:
        options.loss = _decades(rng, 0.001, 0.3)
    for kind in range(6):
        if rng.random() < 0.2:
            options.kind_loss[kind] = _decades(rng, 0.01, 0.5)
    if rng.random() < 0.4:
        options.duplication = _decades(rng, 0.001, 0.3)
    if rng.random() < 0.4:
        options.reorder = _decades(rng, 0.001, 0.3)
    if rng.random() < 0.4:
        options.corruption = _decades(rng, 0.001, 0.1)
    if rng.random() < 0.4:
        options.truncation = _decades(rng, 0.001, 0.1)
    options.late_ns = rng.choice((1, 20, 200, 2000)) * NS_PER_MS
    options.socket_frames_max = rng.choice((30, 200, 4000))


def _draw_faults(rng: Random, options: Options) -> None:
    for fault in Fault:
        if rng.random() < 0.5:
            options.fault_every_ns[fault] = int(_decades(rng, 0.3, 10.0) * NS_PER_S)
    token_ns = options.ring_timeouts_ns[0]
    options.fault_length_ns = int(token_ns * _decades(rng, 0.1, 8.0))
    if rng.random() < 0.5:
        options.clock_offset_ns = 1 << 44
        options.clock_drift_ppm = rng.choice((50, 1000, 50_000))


def _draw_workload(rng: Random, options: Options) -> None:
    options.workload_gap_ns = int(_decades(rng, 5, 500) * NS_PER_MS)
    options.burst_messages_max = rng.choice((1, 3, 10, 50))
    options.message_bytes_max = rng.choice((40, 1000, 3000, 20_000, 200_000))
    options.safe_share = rng.choice((0.0, 0.3, 1.0))
    options.senders = rng.choice((1, 2, 64))
    options.process_churn = rng.choice((0.0, 0.0, 0.01, 0.05))
    # Large messages are many frames, and every node delivers all of them; keep runs about equally
    # long.
    senders = min(options.senders, options.nodes)
    mean_bytes = options.message_bytes_max / log(options.message_bytes_max)
    burst_bytes = mean_bytes * options.burst_messages_max / 2
    frames = burst_bytes / options.frame_len_bytes_max + 0.2 * options.burst_messages_max
    least_gap_s = frames * senders * options.nodes / DELIVERED_FRAMES_PER_S_MAX
    options.workload_gap_ns = max(options.workload_gap_ns, int(least_gap_s * NS_PER_S))
