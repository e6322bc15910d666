"""
The words for what happens to the links of knet; libknet's own, because people grep for them.

Source: libknet 1.25 host.c, links.c, threads_rx.c, threads_pmtud.c; corosync 3.1.7
exec/totemknet.c.
"""

from collections.abc import Callable
from typing import Final

from corosync_tw.logsys.levels import Level
from corosync_tw.logsys.traces import Message
from corosync_tw.totem.links import LinkEvent, LinkEventKind

_PASSIVE: Final = 0


def _knet(level: Level, text: str) -> Message:
    return Message("KNET", level, text)


def _up(event: LinkEvent) -> list[Message]:
    return [
        _knet(Level.INFO, f"rx: host: {event.nodeid} link: {event.link} is up"),
        _knet(
            Level.INFO,
            f"link: Resetting MTU for link {event.link} because host {event.nodeid} joined",
        ),
    ]


def _down(event: LinkEvent) -> list[Message]:
    return [_knet(Level.INFO, f"link: host: {event.nodeid} link: {event.link} is down")]


def _best_link(event: LinkEvent) -> list[Message]:
    policy, priority, active_links = event.values
    host = f"host: host: {event.nodeid}"
    if policy == _PASSIVE:
        text = f"{host} (passive) best link: {event.link} (pri: {priority})"
    else:
        text = f"{host} has {active_links} active links"
    messages = [_knet(Level.INFO, text)]
    if not active_links:
        messages.append(_knet(Level.WARNING, f"{host} has no active links"))
    return messages


def _reachable(event: LinkEvent) -> list[Message]:
    reachable = int(event.kind is LinkEventKind.HOST_REACHABLE)
    text = f"Knet host change callback. nodeid: {event.nodeid} reachable: {reachable}"
    return [Message("TOTEM", Level.DEBUG, text)]


def _mtu(event: LinkEvent) -> list[Message]:
    new_bytes, *old_bytes = event.values
    if not event.nodeid:
        return [
            _knet(Level.INFO, f"pmtud: Global data MTU changed to: {new_bytes}"),
            Message("TOTEM", Level.DEBUG, f"Knet pMTU change: {new_bytes}"),
        ]
    change = f"from {old_bytes[0]} to {new_bytes}" if old_bytes else f"to {new_bytes}"
    where = f"host: {event.nodeid} link: {event.link}"
    return [_knet(Level.INFO, f"pmtud: PMTUD link change for {where} {change}")]


_TEXTS: Final[dict[LinkEventKind, Callable[[LinkEvent], list[Message]]]] = {
    LinkEventKind.HOST_UP: _up,
    LinkEventKind.HOST_DOWN: _down,
    LinkEventKind.BEST_LINK: _best_link,
    LinkEventKind.HOST_REACHABLE: _reachable,
    LinkEventKind.HOST_UNREACHABLE: _reachable,
    LinkEventKind.MTU_CHANGED: _mtu,
}


def describe_knet(event: LinkEvent) -> list[Message]:
    """Return the lines for an event of the links; none for kinds that knet has no words for."""
    say = _TEXTS.get(event.kind)
    return [] if say is None else say(event)
