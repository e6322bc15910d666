"""
What a changed file may do to the links of knet while a node runs: links come and go, and of one
that stays, timers and priority change.

Source: corosync 3.1.7 exec/totemconfig.c, check_things_have_not_changed, get_interface_params;
exec/totemknet.c, totemknet_refresh_config.
Deviation: port and carrier of a link that stays are those it has, and a line says so; stock takes
note of another port and goes on with the old one.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from corosync_tw.config.directive import directives
from corosync_tw.config.links import Link
from corosync_tw.config.report import Report
from corosync_tw.config.schema import Config
from corosync_tw.config.schema_totem import InterfaceConfig

# Directives of an interface that may change while its link is in use.
LIVE_LINK_KEYS: Final = frozenset(
    {
        "knet_link_priority", "knet_ping_interval", "knet_ping_timeout", "knet_ping_precision",
        "knet_pong_count",
    }
)  # fmt: skip
_INTERFACE_KEY: Final = re.compile(r"totem\.interface\.([0-9]+)\.(.+)", re.ASCII)


def is_knet(config: Config) -> bool:
    """Tell whether links may come and go."""
    return config.transport() == "knet"


def may_change(key: str, old: Config, new: Config) -> bool:
    """Tell whether a key of ``totem.interface`` may be what a new file says."""
    match = _INTERFACE_KEY.fullmatch(key)
    if match is None or not is_knet(old):
        return False
    number = int(match[1])
    return match[2] in LIVE_LINK_KEYS or not (number in _links(old) and number in _links(new))


def links_in_force(old: Config, new: Config) -> tuple[Link, ...]:
    """Give the links of the new file; those that stay with the addresses and ports they have."""
    before = _links(old)
    return tuple(
        replace(before[link.linknumber], members=link.members)
        if link.linknumber in before
        else link
        for link in new.membership.links
    )


def interfaces_in_force(old: Config, new: Config) -> tuple[InterfaceConfig, ...]:
    """Give the interfaces of the new file; of links that stay, only what may change is new."""
    before, after = _interfaces(old), _interfaces(new)
    stay = _links(old).keys() & _links(new).keys()
    fixed = [name for name, d in directives(InterfaceConfig) if d.key not in LIVE_LINK_KEYS]
    interfaces = []
    for number in sorted(after.keys() | (before.keys() & stay)):
        interface = after.get(number) or _plain(number)
        if number in stay:
            was = before.get(number) or _plain(number)
            interface = replace(interface, **{name: getattr(was, name) for name in fixed})
        interfaces.append(interface)
    return tuple(interfaces)


def check_carriers(old: Config, new: Config, report: Report) -> None:
    """Report a link that would have to change its carrier, which only a new link can."""
    before, after = _interfaces(old), _interfaces(new)
    for number in sorted(_links(old).keys() & _links(new).keys()):
        was = (before.get(number) or _plain(number)).knet_transport
        interface = after.get(number) or _plain(number)
        if interface.knet_transport != was:
            report.fault(
                interface,
                "knet_transport",
                f"is {interface.knet_transport}, but link {number} runs over {was}: to "
                "reconfigure an interface it must be deleted and recreated",
            )


def _plain(number: int) -> InterfaceConfig:
    return InterfaceConfig(path="totem.interface", linknumber=number)


def _links(config: Config) -> Mapping[int, Link]:
    return {link.linknumber: link for link in config.membership.links}


def _interfaces(config: Config) -> Mapping[int, InterfaceConfig]:
    return {interface.linknumber: interface for interface in config.totem.interfaces}
