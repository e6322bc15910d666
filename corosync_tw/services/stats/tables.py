"""
Keys whose names are fixed and whose values are computed: the ring's counters, totempg's, ours.

Source: Corosync exec/stats.c cs_srp_stats, cs_pg_stats, for names and types.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any, Final

from corosync_tw.corotypes import NS_PER_MS
from corosync_tw.errors import CsNotExist
from corosync_tw.services.cmap.values import TypedValue
from corosync_tw.services.stats.histogram import BUCKETS, Histogram, bucket_end_us
from corosync_tw.services.stats.meter import StackMeter
from corosync_tw.totem.pg import QUEUE_MESSAGES_MAX, Totempg
from corosync_tw.totem.srp import Srp
from corosync_tw.totem.stats import SrpStats

Getter = Callable[[], TypedValue]

UINT32_MAX: Final = 0xFFFFFFFF
# Of SrpStats, those that stock has under the same name, in the type u64.
_SRP_COUNTERS: Final = (
    "orf_token_tx", "orf_token_rx", "memb_merge_detect_tx", "memb_merge_detect_rx", "memb_join_tx",
    "memb_join_rx", "mcast_tx", "mcast_retx", "mcast_rx", "memb_commit_token_tx",
    "memb_commit_token_rx", "token_hold_cancel_tx", "token_hold_cancel_rx", "operational_entered",
    "operational_token_lost", "gather_entered", "gather_token_lost", "commit_entered",
    "commit_token_lost", "recovery_entered", "recovery_token_lost", "consensus_timeouts",
    "rx_msg_dropped",
)  # fmt: skip


class Table:
    """A Provider of cmap: fixed names, each with a function that computes its value."""

    def __init__(self, prefix: str, getters: Mapping[str, Getter]) -> None:
        self._getters = {f"{prefix}{name}": getter for name, getter in getters.items()}
        self._keys = tuple(self._getters)

    def keys(self) -> Sequence[str]:
        """List the keys."""
        return self._keys

    def get(self, key: str) -> TypedValue:
        """Compute a value; raises CsNotExist."""
        getter = self._getters.get(key)
        if getter is None:
            raise CsNotExist(f"key {key!r}")
        return getter()


def srp_table(stats: SrpStats, meter: StackMeter, now_ns: Callable[[], int]) -> Table:
    """
    Make ``stats.srp.*``.

    A failed send is counted by the transport and never told to the ring, which passes the token on
    in the step in which it came: so two of stock's values are always 0.
    """

    def since_token_ms() -> int:
        last_ns = stats.token_last_received_ns
        return (now_ns() - last_ns) // NS_PER_MS if last_ns else 0

    def counter(name: str) -> Getter:
        return lambda: TypedValue.u64(getattr(stats, name))

    getters: dict[str, Getter] = {name: counter(name) for name in _SRP_COUNTERS}
    getters |= {
        "time_since_token_last_received": lambda: TypedValue.u64(since_token_ms()),
        "continuous_gather": lambda: TypedValue.u32(stats.continuous_gather),
        "continuous_sendmsg_failures": lambda: TypedValue.u32(0),
        "firewall_enabled_or_nic_failure": lambda: TypedValue.u8(
            int(stats.firewall_enabled_or_nic_failure)
        ),
        "mtt_rx_token": lambda: TypedValue.u32(min(meter.mean_rotation_ms(), UINT32_MAX)),
        "avg_token_workload": lambda: TypedValue.u32(0),
        "avg_backlog_calc": lambda: TypedValue.u32(meter.mean_backlog_frames()),
    }
    return Table("stats.srp.", getters)


def window_table(srp: Srp) -> Table:
    """
    Make ``stats.corosync_tw.window.*``: the windows that count now.

    ``size`` and ``max_messages`` are those of corosync.conf until the members of a ring agree on
    others; ``behind_token`` is 0 while the ring is not accelerated.
    """
    return Table(
        "stats.corosync_tw.window.",
        {
            "size": lambda: TypedValue.u32(srp.window.size_msgs(srp.params)),
            "max_messages": lambda: TypedValue.u32(srp.window.max_messages(srp.params)),
            "narrowed": lambda: TypedValue.u64(srp.window.cuts),
            "behind_token": lambda: TypedValue.u32(srp.behind_token_msgs),
        },
    )


def pg_table(pg: Totempg) -> Table:
    """Make ``stats.pg.*``: room and use of the queue of messages."""
    return Table(
        "stats.pg.",
        {
            "msg_queue_avail": lambda: TypedValue.u32(QUEUE_MESSAGES_MAX - pg.waiting_msgs),
            "msg_reserved": lambda: TypedValue.u32(pg.waiting_msgs),
        },
    )


def counters_table(prefix: str, counters: Any) -> Table:
    """Make the keys of a dataclass of plain counters, each a u64."""

    def counter(name: str) -> Getter:
        return lambda: TypedValue.u64(getattr(counters, name))

    return Table(prefix, {field.name: counter(field.name) for field in fields(counters)})


def histogram_table(prefix: str, histogram: Histogram) -> Table:
    """
    Make the keys of a histogram, times in microseconds.

    ``le.N`` counts what took at most N, shorter ones included; ``le.inf`` is all.
    """

    def at_most(bucket: int) -> Getter:
        return lambda: TypedValue.u64(sum(histogram.counts[: bucket + 1]))

    def percentile(percent: int) -> Getter:
        return lambda: TypedValue.u64(histogram.percentile_us(percent))

    getters: dict[str, Getter] = {
        "count": lambda: TypedValue.u64(histogram.count),
        "sum_us": lambda: TypedValue.u64(histogram.sum_us),
        "mean_us": lambda: TypedValue.u64(histogram.mean_us()),
        "max_us": lambda: TypedValue.u64(histogram.max_us),
        "p50_us": percentile(50),
        "p99_us": percentile(99),
        "le.inf": lambda: TypedValue.u64(histogram.count),
    }
    getters |= {f"le.{bucket_end_us(bucket)}": at_most(bucket) for bucket in range(BUCKETS - 1)}
    return Table(prefix, getters)
