"""
What ``corosync-tw top`` shows, as plain values made of two looks at a node.

Counters become rates of the time between the looks; a counter that was cleared meanwhile counts
from there. Nothing here knows a terminal or a clock.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from corosync_tw.services.exec_wire import ServiceId

_OURS: Final = "stats.corosync_tw."
_CPG_MESSAGES: Final = "runtime.services.cpg.3."
# Of stats.srp, what is wrong when it grows.
_TROUBLES: Final = (
    "operational_token_lost",
    "gather_entered",
    "consensus_timeouts",
    "rx_msg_dropped",
)
_US_PER_S: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Look:
    """
    A node as it was at one moment.

    :ivar at_s: monotonic.
    :ivar status: as the daemon gives it.
    :ivar stats: the map of counters; ``icmap`` of the configuration, the parts that are shown.
    """

    at_s: float
    status: Mapping[str, Any]
    stats: Mapping[str, Any]
    icmap: Mapping[str, Any]


class _Rates:
    """Differences of counters between two looks."""

    def __init__(self, now: Look, before: Look | None) -> None:
        self.seconds = now.at_s - before.at_s if before else 0.0
        self._now = {**now.stats, **now.icmap}
        self._before = {**before.stats, **before.icmap} if before else {}

    def grown(self, key: str) -> int:
        """Tell by how much a counter grew; 0 for one that is not there."""
        value = _number(self._now, key)
        old = _number(self._before, key) if self._before else value
        return value - old if value >= old else value

    def per_s(self, key: str) -> float | None:
        """Give the rate of a counter; None before the second look, and when it is not there."""
        if self.seconds <= 0 or key not in self._now:
            return None
        return self.grown(key) / self.seconds

    def mean_us(self, name: str) -> float | None:
        """Give the mean of what a histogram took in between the looks; None if it was nothing."""
        count = self.grown(f"{_OURS}{name}.count")
        return self.grown(f"{_OURS}{name}.sum_us") / count if count and self.seconds > 0 else None


def view(now: Look, before: Look | None) -> dict[str, Any]:
    """
    Make the view.

    :param before: None at the first look: there are no rates then.
    """
    rates = _Rates(now, before)
    status = now.status
    cpu = rates.per_s(f"{_OURS}process.cpu_us")
    return {
        "nodeid": status["nodeid"],
        "name": _names(now.icmap).get(status["nodeid"], ""),
        "cluster_name": str(now.icmap.get("totem.cluster_name", "")),
        "transport": str(now.icmap.get("totem.transport", "")),
        "ring_id": f"{status['ring_rep']}.{status['ring_seq']:x}",
        "state": status["state"],
        "sync_in_progress": status["sync_in_progress"],
        "quorate": status["quorate"],
        "bad_links": status.get("bad_links") or [],
        "members": list(_members(now)),
        "interval_s": rates.seconds or None,
        "cpu": None if cpu is None else cpu / _US_PER_S,
        "traffic": _traffic(rates),
        "queues": _queues(now, rates),
        "links": list(_links(now, rates)),
        "rings": list(_rings(now, rates)),
        "clients": list(_clients(now, rates)),
        "troubles": {name: _number(now.stats, f"stats.srp.{name}") for name in _TROUBLES},
    }


def _number(values: Mapping[str, Any], key: str) -> int:
    """Give a number of a map; 0 for what is none: clients set keys to values of any type."""
    value = values.get(key, 0)
    return value if isinstance(value, int) else 0


def _names(icmap: Mapping[str, Any]) -> dict[int, str]:
    names = {}
    for key, value in icmap.items():
        is_nodeid = key.startswith("nodelist.node.") and key.endswith(".nodeid")
        if is_nodeid and isinstance(value, int):
            names[value] = str(icmap.get(f"{key.removesuffix('nodeid')}name", ""))
    return names


def _members(now: Look) -> Iterator[dict[str, Any]]:
    """Give everybody who was ever seen, or is configured."""
    names = _names(now.icmap)
    seen = _numbers(now.icmap, "runtime.members.")
    for nodeid in sorted({*names, *seen, *now.status["members"]}):
        prefix = f"runtime.members.{nodeid}."
        yield {
            "nodeid": nodeid,
            "name": names.get(nodeid, ""),
            "in_ring": nodeid in now.status["members"],
            "status": str(now.icmap.get(f"{prefix}status", "never seen")),
            "address": str(now.icmap.get(f"{prefix}ip", "")),
            "joined": _number(now.icmap, f"{prefix}join_count"),
        }


def _numbers(keys: Iterable[str], prefix: str) -> set[int]:
    words = (key[len(prefix) :].partition(".")[0] for key in keys if key.startswith(prefix))
    return {int(word) for word in words if word.isdecimal()}


def _traffic(rates: _Rates) -> dict[str, float | None]:
    return {
        "messages_sent_per_s": rates.per_s(f"{_CPG_MESSAGES}tx"),
        "messages_delivered_per_s": rates.per_s(f"{_OURS}stack.messages_delivered"),
        "frames_sent_per_s": rates.per_s("stats.srp.mcast_tx"),
        "frames_received_per_s": rates.per_s("stats.srp.mcast_rx"),
        "frames_resent_per_s": rates.per_s("stats.srp.mcast_retx"),
        "bytes_sent_per_s": rates.per_s(f"{_OURS}transport.tx_bytes"),
        "bytes_received_per_s": rates.per_s(f"{_OURS}transport.rx_bytes"),
        "tokens_per_s": rates.per_s("stats.srp.orf_token_rx"),
        "rotation_us": rates.mean_us("token_rotation"),
        "latency_us": rates.mean_us("delivery_latency"),
    }


def _queues(now: Look, rates: _Rates) -> dict[str, Any]:
    stats = now.stats
    return {
        "send_queue": now.status["queue_level"],
        "messages_waiting": _number(stats, "stats.pg.msg_reserved"),
        "backlog_frames": _number(stats, "stats.srp.avg_backlog_calc"),
        "window_msgs": _number(stats, f"{_OURS}window.size"),
        "window_node_msgs": _number(stats, f"{_OURS}window.max_messages"),
        "socket_full_per_s": rates.per_s(f"{_OURS}transport.tx_blocked"),
        "dropped_per_s": rates.per_s(f"{_OURS}transport.tx_dropped"),
    }


def _links(now: Look, rates: _Rates) -> Iterator[dict[str, Any]]:
    """Give the links of knet."""
    prefix = "stats.knet.node"
    links = {
        key.removeprefix(prefix).rpartition(".")[0] for key in now.stats if key.startswith(prefix)
    }
    for link in sorted(links, key=_place):
        node, number = _place(link)
        key = f"{prefix}{link}."
        yield {
            "nodeid": node,
            "link": number,
            "enabled": bool(now.stats.get(f"{key}enabled")),
            "connected": bool(now.stats.get(f"{key}connected")),
            "mtu_bytes": _number(now.stats, f"{key}mtu"),
            "latency_us": _number(now.stats, f"{key}latency_ave"),
            "bytes_sent_per_s": rates.per_s(f"{key}tx_total_bytes"),
            "bytes_received_per_s": rates.per_s(f"{key}rx_total_bytes"),
            "downs": _number(now.stats, f"{key}down_count"),
        }


def _place(link: str) -> tuple[int, int]:
    node, _, number = link.partition(".link")
    return int(node), int(number)


def _rings(now: Look, rates: _Rates) -> Iterator[dict[str, Any]]:
    """Give redundant rings."""
    prefix = f"{_OURS}rings."
    for number in sorted(_numbers(now.stats, prefix)):
        key = f"{prefix}{number}."
        yield {
            "number": number,
            "faulty": bool(now.stats.get(f"{key}faulty")),
            "problems": _number(now.stats, f"{key}problem_count"),
            "tokens_missed_per_s": rates.per_s(f"{key}tokens_missed"),
        }


def _clients(now: Look, rates: _Rates) -> Iterator[dict[str, Any]]:
    """Give the C clients, the busiest first."""
    prefix = "stats.ipcs.service"
    found: list[dict[str, Any]] = []
    for key, name in now.stats.items():
        if not (key.startswith(prefix) and key.endswith(".procname")):
            continue
        client = key.removesuffix("procname")
        service, pid, _ = client.removeprefix(prefix).split(".", 2)
        number = int(service)
        found.append(
            {
                "name": str(name),
                "pid": int(pid),
                "service": ServiceId(number).name.lower() if number in set(ServiceId) else service,
                "requests_per_s": rates.per_s(f"{client}requests"),
                "dispatched_per_s": rates.per_s(f"{client}dispatched"),
                "queued": _number(now.stats, f"{client}queued"),
                "flow_control": bool(now.stats.get(f"{client}flow_control")),
            }
        )
    found.sort(key=lambda one: (-(one["requests_per_s"] or 0), one["name"], one["pid"]))
    yield from found
