"""
The screen of ``corosync-tw top``: a view laid out for a size, by rich.

What matters most is on top; what does not fit is cut off at the bottom. Nothing is told by colour
alone.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from corosync_tw.printable import printable

# From this width on, two tables stand side by side.
_WIDE: Final = 72
_PAIRS_WIDTH_MAX: Final = 34
# From this height on, there is room between tables.
_TALL: Final = 32
_HEAD_STYLE: Final = "bold cyan"
_ADDRESS: Final = re.compile(r"r\(\d+\) ip\(([^)]*)\)")
_BAR_WIDTH: Final = 10
_UNKNOWN: Final = "-"
_UNITS: Final = ("B/s", "kB/s", "MB/s", "GB/s")
_US_PER_MS: Final = 1000
_NUMBERS: Final = frozenset(
    {"Joined", "MTU", "Latency", "Sent", "Received", "Downs", "Problems", "Tokens missed"}
    | {"Pid", "Requests", "Events", "Queued"}
)


def screen(
    view: Mapping[str, Any], width: int, height: int = 0, *, clock: str = "", lost: str = ""
) -> RenderableType:
    """
    Lay a view out.

    :param height: in lines; where there are many, blank ones part the tables.
    :param clock: time of day.
    :param lost: why it is an old one; empty for a fresh one.
    """
    parts: list[RenderableType] = [_head(view, clock)]
    parts += [Text(alarm, style="bold red") for alarm in _alarms(view, lost)]
    pairs_width = min(width, _PAIRS_WIDTH_MAX)
    traffic = _pairs("Traffic", _traffic(view["traffic"]), pairs_width)
    queues = _pairs("Queues", _queues(view["queues"]), pairs_width)
    tables: list[RenderableType]
    if width >= _WIDE:
        both = Table.grid(padding=(0, 4, 0, 0))
        both.add_row(traffic, queues)
        tables = [both]
    else:
        tables = [traffic, queues]
    tables.append(_members(view["members"]))
    # What goes from a node to itself, goes over no network.
    links = [link for link in view["links"] if link["nodeid"] != view["nodeid"]]
    for made, rows in ((_links, links), (_rings, view["rings"]), (_clients, view["clients"])):
        if rows:
            tables.append(made(rows))
    history = Text(_history(view["troubles"]), style="dim")
    if height < _TALL:
        return Group(*parts, *tables, history)
    spaced = [part for table in tables for part in (Text(), table)]
    return Group(*parts, *spaced, Text(), history)


def _head(view: Mapping[str, Any], clock: str) -> Text:
    who = f"node {view['nodeid']}" + (f" ({view['name']})" if view["name"] else "")
    cluster = view["cluster_name"] and f"cluster {view['cluster_name']}"
    words = [who, cluster, view["transport"], clock]
    if view["cpu"] is not None:
        words.append(f"CPU {view['cpu']:.1%}")
    count = sum(member["in_ring"] for member in view["members"])
    members = f"{count} member" + "s" * (count != 1)
    state = f"{view['state']}, synchronizing" if view["sync_in_progress"] else view["state"]
    quorum = "quorate" if view["quorate"] else "not quorate"
    text = Text("corosync-tw top  ", style="bold")
    text.append(_text("  ".join(filter(None, words))).plain + "\n", style="not bold")
    text.append(f"ring {view['ring_id']}  {state}  {members}  ", style="not bold")
    return text.append(quorum, style="green" if view["quorate"] else "bold red")


def _alarms(view: Mapping[str, Any], lost: str) -> Iterator[str]:
    if lost:
        yield f"! {lost}; what is below is old"
    if not view["quorate"]:
        yield "! this node is not quorate"
    if view["bad_links"]:
        links = ", ".join(f"{speaker} to {deaf}" for speaker, deaf in view["bad_links"])
        yield f"! links that do not work: {links}"
    for ring in view["rings"]:
        if ring["faulty"]:
            yield f"! ring {ring['number']} is faulty"
    absent = [str(member["nodeid"]) for member in view["members"] if not member["in_ring"]]
    if absent:
        yield f"! not in the ring: {', '.join(absent)}"


def _traffic(traffic: Mapping[str, float | None]) -> Iterator[tuple[str, str]]:
    yield "messages sent", _per_s(traffic["messages_sent_per_s"])
    yield "messages delivered", _per_s(traffic["messages_delivered_per_s"])
    yield "frames sent", _per_s(traffic["frames_sent_per_s"])
    yield "frames received", _per_s(traffic["frames_received_per_s"])
    yield "frames sent again", _per_s(traffic["frames_resent_per_s"])
    yield "token", f"{_per_s(traffic['tokens_per_s'])}, {_ms(traffic['rotation_us'])}"
    yield "to deliver takes", _ms(traffic["latency_us"])
    yield "bytes sent", _bytes_per_s(traffic["bytes_sent_per_s"])
    yield "bytes received", _bytes_per_s(traffic["bytes_received_per_s"])


def _queues(queues: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    level = queues["send_queue"]
    filled = round(min(max(level, 0.0), 1.0) * _BAR_WIDTH)
    yield "send queue", f"{'#' * filled}{'.' * (_BAR_WIDTH - filled)} {level:4.0%}"
    yield "messages waiting", f"{queues['messages_waiting']:,}"
    yield "backlog", f"{queues['backlog_frames']:,} frames"
    yield "window", f"{queues['window_msgs']:,} frames"
    yield "window of a node", f"{queues['window_node_msgs']:,} frames"
    yield "socket full", _per_s(queues["socket_full_per_s"])
    yield "dropped", _per_s(queues["dropped_per_s"])


def _pairs(title: str, rows: Iterator[tuple[str, str]], width: int) -> Table:
    table = Table(title, "", box=None, width=width, header_style=_HEAD_STYLE, pad_edge=False)
    table.columns[0].no_wrap = True
    table.columns[1].justify = "right"
    for row in rows:
        table.add_row(*row)
    return table


def _members(members: Sequence[Mapping[str, Any]]) -> Table:
    table = _table("Node", "Name", "In ring", "Status", "Address", "Joined")
    for member in members:
        cells = (
            str(member["nodeid"]),
            member["name"] or _UNKNOWN,
            "yes" if member["in_ring"] else "no",
            member["status"],
            _addresses(member["address"]),
            f"{member['joined']}x",
        )
        table.add_row(*map(_text, cells), style="" if member["in_ring"] else "red")
    return table


def _addresses(text: str) -> str:
    """Shorten what the map has, which is Corosync's; other texts stay as they are."""
    return " ".join(_ADDRESS.findall(text)) or text


def _links(links: Sequence[Mapping[str, Any]]) -> Table:
    table = _table("To node", "Link", "State", "MTU", "Latency", "Sent", "Received", "Downs")
    for link in links:
        state = "up" if link["connected"] else "DOWN" if link["enabled"] else "off"
        table.add_row(
            str(link["nodeid"]),
            str(link["link"]),
            state,
            f"{link['mtu_bytes']:,}",
            f"{link['latency_us'] / _US_PER_MS:.2f} ms",
            _bytes_per_s(link["bytes_sent_per_s"]),
            _bytes_per_s(link["bytes_received_per_s"]),
            str(link["downs"]),
            style="" if link["connected"] else "red",
        )
    return table


def _rings(rings: Sequence[Mapping[str, Any]]) -> Table:
    table = _table("Ring", "State", "Problems", "Tokens missed")
    for ring in rings:
        table.add_row(
            str(ring["number"]),
            "FAULTY" if ring["faulty"] else "in use",
            str(ring["problems"]),
            _per_s(ring["tokens_missed_per_s"]),
        )
    return table


def _clients(clients: Sequence[Mapping[str, Any]]) -> Table:
    table = _table("Client", "Pid", "Service", "Requests", "Events", "Queued", "Held")
    for client in clients:
        cells = (
            client["name"],
            str(client["pid"]),
            client["service"],
            _per_s(client["requests_per_s"]),
            _per_s(client["dispatched_per_s"]),
            str(client["queued"]),
            "yes" if client["flow_control"] else "no",
        )
        table.add_row(*map(_text, cells))
    return table


def _table(*heads: str) -> Table:
    table = Table(box=None, header_style=_HEAD_STYLE, padding=(0, 2, 0, 0))
    for head in heads:
        table.add_column(head, justify="right" if head in _NUMBERS else "left")
    return table


def _history(troubles: Mapping[str, int]) -> str:
    words = [f"{name.replace('_', ' ')} {count}" for name, count in troubles.items()]
    return "since it started: " + ", ".join(words)


def _text(words: str) -> Text:
    """Show what others named; it is no markup, and moves no cursor."""
    return Text(printable(words))


def _per_s(rate: float | None) -> str:
    return _UNKNOWN if rate is None else f"{rate:,.0f}/s"


def _ms(time_us: float | None) -> str:
    return _UNKNOWN if time_us is None else f"{time_us / _US_PER_MS:,.2f} ms"


def _bytes_per_s(rate: float | None) -> str:
    if rate is None:
        return _UNKNOWN
    unit = _UNITS[0]
    for unit in _UNITS:
        if rate < 1000 or unit == _UNITS[-1]:
            break
        rate /= 1000
    return f"{rate:,.0f} {unit}" if unit == _UNITS[0] else f"{rate:,.2f} {unit}"
