"""
What stock says of the networks that it begins to use, where the transports have no reason to.

Source: Corosync exec/totemudpu.c, totemudpu_member_add, timer_function_netif_check_timeout;
exec/totemconfig.c, totemconfig_configure_new_params.
"""

from collections.abc import Iterator
from typing import Final

from corosync_tw.config.schema import Config
from corosync_tw.logsys.levels import Level
from corosync_tw.logsys.traces import Message

_UNICAST: Final = "udpu"


def interface_lines(config: Config) -> Iterator[Message]:
    """Name our own addresses; knet has lines of its own."""
    if config.transport() == "knet":
        return
    for link in config.membership.links:
        text = f"The network interface [{link.local_address}] is now up."
        yield Message("TOTEM", Level.NOTICE, text)


def member_lines(config: Config) -> Iterator[Message]:
    """Name the links, and the members to whom each datagram is sent one by one."""
    if config.transport() == "knet":
        return
    for link in config.membership.links:
        yield Message("TOTEM", Level.INFO, f"Configuring link {link.linknumber}")
        if config.transport() == _UNICAST:
            for member in link.members:
                text = f"adding new UDPU member {{{member.address}}}"
                yield Message("TOTEM", Level.NOTICE, text)
