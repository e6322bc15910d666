"""
What stock says of the ring's parameters, and of the networks that it begins to use.

Source: Corosync exec/totemconfig.c, debug_dump_totem_config, totemconfig_configure_new_params;
exec/totemudpu.c, totemudpu_member_add, timer_function_netif_check_timeout.
"""

from collections.abc import Iterator
from typing import Final

from corosync_tw.config.load import totem_params
from corosync_tw.config.schema import Config
from corosync_tw.corotypes import NS_PER_MS
from corosync_tw.logsys.levels import Level
from corosync_tw.logsys.traces import Message

_UNICAST: Final = "udpu"
RELOADED: Final = "Configuration reloaded. Dumping actual totem config."
KEY_CHANGED: Final = "Totem related config key changed. Dumping actual totem config."


def totem_lines(config: Config, why: str = "") -> Iterator[Message]:
    """
    Name the parameters of the ring, for somebody who looks for a fault.

    :param why: a line before them.
    """
    totem, timing = config.totem, config.timing
    params = totem_params(config, config.nodeid)
    token_ms, percent = timing.token_timeout_ms, totem.token_warning_percent
    warning = f"Token warning every {percent * token_ms // 100} ms ({percent}% of Token Timeout)"
    delay_ms = params.max_network_delay_ns // NS_PER_MS
    texts = (
        why,
        (
            f"Token Timeout ({token_ms} ms)"
            f" retransmit timeout ({timing.token_retransmit_timeout_ms} ms)"
        ),
        warning if percent else "Token warnings disabled",
        (
            f"token hold ({timing.token_hold_timeout_ms} ms)"
            f" retransmits before loss ({totem.token_retransmits_before_loss_const} retrans)"
        ),
        (
            f"join ({totem.join_timeout_ms} ms) send_join ({totem.send_join_timeout_ms} ms)"
            f" consensus ({timing.consensus_timeout_ms} ms) merge ({totem.merge_timeout_ms} ms)"
        ),
        (
            f"downcheck ({totem.downcheck_timeout_ms} ms)"
            f" fail to recv const ({totem.fail_recv_const} msgs)"
        ),
        (
            f"seqno unchanged const ({totem.seqno_unchanged_const} rotations)"
            f" Maximum network MTU {params.frame_len_bytes_max}"
        ),
        (
            f"window size per rotation ({totem.window_size_msgs} messages)"
            f" maximum messages per rotation ({totem.max_messages} messages)"
        ),
        f"missed count const ({totem.miss_count_const} messages)",
        f"heartbeat_failures_allowed ({totem.heartbeat_failures_allowed})",
        f"max_network_delay ({delay_ms} ms)",
    )
    for text in texts:
        if text:
            yield Message("TOTEM", Level.DEBUG, text)


def interface_lines(config: Config) -> Iterator[Message]:
    """Name our own addresses; knet has lines of its own."""
    if config.transport() == "knet":
        return
    for link in config.membership.links:
        text = f"The network interface [{link.local_address}] is now up."
        yield Message("TOTEM", Level.NOTICE, text)


def link_lines(config: Config) -> Iterator[Message]:
    """Name the links, when they are read again; knet has lines of its own."""
    if config.transport() == "knet":
        return
    for link in config.membership.links:
        yield Message("TOTEM", Level.INFO, f"Configuring link {link.linknumber}")


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
