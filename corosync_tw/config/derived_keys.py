"""
The keys of cmap that follow from a corosync.conf without standing in it: the values in force.

Source: corosync 3.1.7 exec/totemconfig.c: totem_config_read, totem_volatile_config_read,
config_convert_nodelist_to_interface, put_nodelist_members_to_config, calc_knet_ping_timers.
"""

from corosync_tw.config.file_keys import Keys
from corosync_tw.config.rings import mcast_threshold, token_expired_ms
from corosync_tw.config.schema import Config
from corosync_tw.config.schema_totem import InterfaceConfig
from corosync_tw.config.timing import ping_timing
from corosync_tw.services.cmap.values import TypedValue

_RUNTIME = "runtime.config.totem"


def derived_keys(config: Config, given: Keys) -> Keys:
    """
    Work out the keys that follow.

    :param given: keys of the file itself; what stands there is not made up.
    """
    keys = {**_node_keys(config, given), **runtime_config_keys(config)}
    if config.transport() == "udp":
        keys |= _multicast_keys(config, given)
    return keys


def _node_keys(config: Config, given: Keys) -> Keys:
    """Tell our place in the nodelist, our addresses, and the node ids that were made up."""
    position = config.membership.local_position
    if position is None:
        return {}
    keys = {"nodelist.local_node_pos": TypedValue.u32(position)}
    for number, text in config.nodelist[position].ring_addrs:
        keys[f"totem.interface.{number}.bindnetaddr"] = TypedValue.string(text)
    for at, member in enumerate(config.membership.links[0].members):
        name = f"nodelist.node.{at}.nodeid"
        if not given.get(name, TypedValue.u32(0)).value:
            keys[name] = TypedValue.u32(member.nodeid)
    return keys


def _multicast_keys(config: Config, given: Keys) -> Keys:
    keys: Keys = {}
    for link in config.membership.links:
        prefix = f"totem.interface.{link.linknumber}"
        if f"{prefix}.mcastaddr" not in given:
            keys[f"{prefix}.mcastaddr"] = TypedValue.string(str(link.mcast_address))
        if f"{prefix}.mcastport" not in given:
            keys[f"{prefix}.mcastport"] = TypedValue.u16(link.port)
    return keys


def runtime_config_keys(config: Config) -> Keys:
    """Tell the values in force of what may change while the ring runs: ``runtime.config``."""
    totem, timing = config.totem, config.timing
    numbers = {
        "token": timing.token_timeout_ms,
        "token_warning": totem.token_warning_percent,
        "token_retransmit": timing.token_retransmit_timeout_ms,
        "token_retransmits_before_loss_const": totem.token_retransmits_before_loss_const,
        "hold": timing.token_hold_timeout_ms,
        "join": totem.join_timeout_ms,
        "send_join": totem.send_join_timeout_ms,
        "consensus": timing.consensus_timeout_ms,
        "merge": totem.merge_timeout_ms,
        "downcheck": totem.downcheck_timeout_ms,
        "fail_recv_const": totem.fail_recv_const,
        "seqno_unchanged_const": totem.seqno_unchanged_const,
        "heartbeat_failures_allowed": totem.heartbeat_failures_allowed,
        "max_network_delay": totem.max_network_delay_ms,
        "window_size": totem.window_size_msgs,
        "max_messages": totem.max_messages,
        "miss_count_const": totem.miss_count_const,
        "knet_pmtud_interval": totem.knet_pmtud_interval_s,
        "knet_mtu": totem.knet_mtu_bytes,
        "knet_compression_threshold": totem.knet_compression_threshold_bytes,
        "block_unlisted_ips": int(totem.block_unlisted_ips),
        "cancel_token_hold_on_retransmit": int(totem.cancel_token_hold_on_retransmit),
    }
    if config.is_redundant():
        numbers |= _ring_numbers(config)
    keys = {f"{_RUNTIME}.{name}": TypedValue.u32(number) for name, number in numbers.items()}
    level = TypedValue.i32(totem.knet_compression_level)
    keys[f"{_RUNTIME}.knet_compression_level"] = level
    model = TypedValue.string(totem.knet_compression_model or "none")
    keys[f"{_RUNTIME}.knet_compression_model"] = model
    interfaces = {i.linknumber: i for i in totem.interfaces}
    for link in config.membership.links:
        interface = interfaces.get(link.linknumber) or InterfaceConfig(path="totem.interface")
        interval_ms, timeout_ms = ping_timing(interface, timing)
        prefix = f"{_RUNTIME}.interface.{link.linknumber}"
        keys[f"{prefix}.knet_ping_interval"] = TypedValue.u32(interval_ms)
        keys[f"{prefix}.knet_ping_timeout"] = TypedValue.u32(timeout_ms)
    return keys


def _ring_numbers(config: Config) -> dict[str, int]:
    """Tell the values of redundant rings, as 2.x does (exec/totemconfig.c of 2.4.6)."""
    totem = config.totem
    node_count = len(config.membership.links[0].members)
    return {
        "rrp_token_expired_timeout": token_expired_ms(totem, config.timing, node_count),
        "rrp_problem_count_timeout": totem.rrp_problem_count_timeout_ms,
        "rrp_problem_count_threshold": totem.rrp_problem_count_threshold,
        "rrp_problem_count_mcast_threshold": mcast_threshold(totem),
        "rrp_autorecovery_check_timeout": totem.rrp_autorecovery_check_timeout_ms,
    }
