"""
From the file to the parameters of every layer: the one place where configuration meets the
protocol.

``load_file`` gives a configuration without faults or ConfigError with all of them; ``check`` is the
same for ``--test``. Both may wait for the resolver, so they belong before the reactor's start or in
a thread.
"""

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from typing import Final

from corosync_tw.config.checks import check_logging, check_quorum, check_totem
from corosync_tw.config.crypto import NONE, SEAL_LEN_BYTES, CryptoConfig
from corosync_tw.config.grammar import FILE_LEN_BYTES_MAX, parse
from corosync_tw.config.host import Host
from corosync_tw.config.membership import make_membership
from corosync_tw.config.read_crypto import read_crypto
from corosync_tw.config.reader import read_sections
from corosync_tw.config.report import Report
from corosync_tw.config.rings import check_rings, mcast_threshold, token_expired_ms
from corosync_tw.config.schema import Config, Sections
from corosync_tw.config.schema_services import QuorumConfig
from corosync_tw.config.schema_totem import TotemConfig
from corosync_tw.config.this_host import this_host
from corosync_tw.config.timing import check_timing, totem_timing
from corosync_tw.config.uidgid import read_uidgid_file
from corosync_tw.config.votes import device_votes, expected_votes
from corosync_tw.corotypes import NS_PER_MS
from corosync_tw.errors import ConfigError
from corosync_tw.services.params import ServiceParams
from corosync_tw.services.votequorum.params import (
    NO_TIE_BREAKER,
    DeviceParams,
    TieBreaker,
    TieBreakerRule,
)
from corosync_tw.totem.params import TotemParams
from corosync_tw.totem.rrp.params import RrpMode, RrpParams

# totemconfig.c: UDP_NETMTU.
NETMTU_BYTES: Final = 1500
# totemip.h, totemip_udpip_header_size: an IP header without options and a UDP header.
UDP_IP_HEADERS_LEN_BYTES: Final = {4: 28, 6: 48}
# Longest payload of a UDP datagram over IPv4, whatever netmtu says.
UDP_PAYLOAD_LEN_BYTES_MAX: Final = 65507
# Longest message of knet, which divides it among datagrams (libknet.h, KNET_MAX_PACKET_SIZE).
KNET_NETMTU_BYTES: Final = 65536
# What we make of it unless told otherwise: the datagrams of one frame go out in one call, and come
# in by one, with what encryption adds. Peers take in frames of any length up to the one above.
KNET_FRAME_LEN_BYTES: Final = 61440

# Name and content of each file of uidgid.d.
UidGidFiles = Sequence[tuple[str, bytes]]


def load_file(path: str, *, node: str | None = None, host: Host | None = None) -> Config:
    """
    Read and check a corosync.conf and the uidgid.d beside it.

    :param node: name or node id of the nodelist entry that is ours; None finds out.
    :param host: the machine to check for; None is this one.
    Raises: ConfigError with all faults, also when the file cannot be read.
    """
    config, report = _examine(path, node, host)
    if config is None:
        raise ConfigError(report.faults)
    return config


def check(
    path: str, *, node: str | None = None, host: Host | None = None
) -> tuple[list[str], list[str]]:
    """
    Say all that is to be said about a file, for ``--test``; parameters as for load_file.

    :return: warnings and faults; without faults Corosync would start with it.
    """
    try:
        _, report = _examine(path, node, host)
    except ConfigError as error:
        return [], error.faults
    return report.warnings, report.faults


def load_text(
    content: bytes,
    file: str,
    host: Host,
    *,
    node: str | None = None,
    uidgid_files: UidGidFiles = (),
) -> Config:
    """
    Check a configuration that is already in memory; touches nothing of this machine.

    :param file: name for the faults.
    Raises: ConfigError.
    """
    config, report = _examine_text(content, file, node, host, uidgid_files)
    if config is None:
        raise ConfigError(report.faults)
    return config


def load_crypto(path: str) -> CryptoConfig:
    """
    Read what a corosync.conf says about encryption, and the key; resolves no names.

    Raises: ConfigError.
    """
    host = this_host()
    report = Report(path)
    crypto = read_crypto(read_sections(parse(_read(path), path), host, report), host, report)
    if report.faults:
        raise ConfigError(report.faults)
    return crypto


def _examine(path: str, node: str | None, host: Host | None) -> tuple[Config | None, Report]:
    content = _read(path)
    uidgid_files = tuple(_uidgid_files(os.path.join(os.path.dirname(path), "uidgid.d")))
    return _examine_text(content, path, node, host or this_host(), uidgid_files)


def _read(path: str) -> bytes:
    """Read a file, at most one byte more than the grammar takes. Raises: ConfigError."""
    try:
        with open(path, "rb") as file:
            return file.read(FILE_LEN_BYTES_MAX + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError([f"{path}:1: Can't read file: {reason}, name a readable file"]) from error


def _uidgid_files(directory: str) -> Iterator[tuple[str, bytes]]:
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return
    for name in names:
        path = os.path.join(directory, name)
        try:
            regular = stat.S_ISREG(os.stat(path).st_mode)
        except OSError:
            continue
        # A file that is not ours to read counts as absent, as in stock.
        if regular and os.access(path, os.R_OK):
            yield path, _read(path)


def _examine_text(
    content: bytes, file: str, node: str | None, host: Host, uidgid_files: UidGidFiles
) -> tuple[Config | None, Report]:
    report = Report(file)
    sections = read_sections(parse(content, file), host, report)
    sections = _with_uidgid_files(sections, uidgid_files, host, report)
    check_totem(sections, report)
    crypto = read_crypto(sections, host, report)
    check_quorum(sections, report)
    check_logging(sections, report)
    membership = make_membership(sections, host, report, node)
    if membership is not None:
        check_rings(sections, membership.links, report)
    if membership is not None and membership.links:
        node_count = len(membership.links[0].members)
    else:
        node_count = len(sections.nodelist)
    timing = totem_timing(sections.totem, node_count)
    check_timing(sections.totem, timing, report)
    if report.faults or membership is None:
        assert report.faults, "there is a membership or a reason why not"
        return None, report
    values = {field.name: getattr(sections, field.name) for field in fields(Sections)}
    config = Config(
        **values,
        membership=membership,
        timing=timing,
        crypto=crypto,
        warnings=tuple(report.warnings),
    )
    return config, report


def _with_uidgid_files(
    sections: Sections, uidgid_files: UidGidFiles, host: Host, report: Report
) -> Sections:
    uidgid = sections.uidgid
    for name, content in uidgid_files:
        file_report = Report(name)
        try:
            more = read_uidgid_file(parse(content, name), host, file_report)
        except ConfigError as error:
            report.faults.extend(error.faults)
            continue
        report.faults.extend(file_report.faults)
        uidgid = replace(uidgid, uids=uidgid.uids | more.uids, gids=uidgid.gids | more.gids)
    return replace(sections, uidgid=uidgid)


def totem_params(config: Config, nodeid: int) -> TotemParams:
    """
    Make the parameters of the core.

    :param nodeid: ours; ``config.nodeid`` unless somebody knows better.
    """
    totem = config.totem
    timing = config.timing
    return TotemParams(
        my_id=nodeid,
        token_timeout_ns=timing.token_timeout_ms * NS_PER_MS,
        token_retransmit_timeout_ns=timing.token_retransmit_timeout_ms * NS_PER_MS,
        token_hold_timeout_ns=timing.token_hold_timeout_ms * NS_PER_MS,
        join_timeout_ns=totem.join_timeout_ms * NS_PER_MS,
        send_join_timeout_ns=totem.send_join_timeout_ms * NS_PER_MS,
        consensus_timeout_ns=timing.consensus_timeout_ms * NS_PER_MS,
        merge_timeout_ns=totem.merge_timeout_ms * NS_PER_MS,
        token_warning_percent=totem.token_warning_percent,
        fail_to_recv_const=totem.fail_recv_const,
        seqno_unchanged_const=totem.seqno_unchanged_const,
        heartbeat_failures_allowed=totem.heartbeat_failures_allowed,
        max_network_delay_ns=totem.max_network_delay_ms * NS_PER_MS,
        window_size_msgs=totem.window_size_msgs,
        max_messages=totem.max_messages,
        accelerated_ring=totem.accelerated_ring,
        accelerated_window_msgs=totem.accelerated_window_msgs,
        window_pinned=_is_window_pinned(totem),
        miss_count_const=totem.miss_count_const,
        cancel_token_hold_on_retransmit=totem.cancel_token_hold_on_retransmit,
        frame_len_bytes_max=frame_len_bytes_max(config),
        seed=nodeid,
    )


def rrp_params(config: Config, seed: int) -> RrpParams:
    """
    Make the parameters of a redundant ring.

    Pre: the configuration has several networks.
    :param seed: another one at each start, so that what we sent before is not taken for new.
    """
    totem, links = config.totem, config.membership.links
    return RrpParams(
        my_id=config.nodeid,
        mode=RrpMode(totem.rrp_mode),
        networks=len(links),
        copies=totem.rrp_copies,
        token_expired_timeout_ns=token_expired_ms(totem, config.timing, len(links[0].members))
        * NS_PER_MS,
        message_delay_timeout_ns=totem.rrp_message_delay_timeout_ms * NS_PER_MS,
        problem_count_timeout_ns=totem.rrp_problem_count_timeout_ms * NS_PER_MS,
        problem_count_threshold=totem.rrp_problem_count_threshold,
        problem_count_mcast_threshold=mcast_threshold(totem),
        autorecovery_check_timeout_ns=totem.rrp_autorecovery_check_timeout_ms * NS_PER_MS,
        clean_tests=totem.rrp_autorecovery_tests,
        hold_down_ns=totem.rrp_hold_down_ms * NS_PER_MS,
        hold_down_max_ns=totem.rrp_hold_down_max_ms * NS_PER_MS,
        hold_down_decay_ns=totem.rrp_hold_down_decay_ms * NS_PER_MS,
        seed=seed,
    )


def _is_window_pinned(totem: TotemConfig) -> bool:
    """Whether somebody asked for certain windows, in the file or later."""
    given = totem.given("window_size") or totem.given("max_messages")
    defaults = TotemConfig()
    windows = (totem.window_size_msgs, totem.max_messages)
    return given or windows != (defaults.window_size_msgs, defaults.max_messages)


def frame_len_bytes_max(config: Config) -> int:
    """
    Return the longest frame: what netmtu leaves after IP and UDP headers, and a datagram's seal;
    all of it with knet, which divides frames itself.

    Source: corosync 3.1.10 exec/totemudp.c, totemudp_net_mtu_adjust; exec/totemknet.c,
    totemknet_net_mtu_adjust.
    """
    if config.transport() == "knet":
        return min(config.totem.netmtu_bytes or KNET_FRAME_LEN_BYTES, KNET_NETMTU_BYTES)
    version = max(link.local_address.version for link in config.membership.links)
    netmtu_bytes = config.totem.netmtu_bytes or NETMTU_BYTES
    payload = min(netmtu_bytes - UDP_IP_HEADERS_LEN_BYTES[version], UDP_PAYLOAD_LEN_BYTES_MAX)
    return payload - (SEAL_LEN_BYTES if config.crypto.datagram_cipher != NONE else 0)


def service_params(config: Config) -> ServiceParams:
    """
    Make the parameters of the services.

    Source: corosync 3.1.10 exec/votequorum.c, votequorum_readconfig.
    """
    quorum = config.quorum
    position = config.membership.local_position
    node_votes = [node.quorum_votes for node in config.nodelist]
    votes = quorum.votes if position is None else node_votes[position]
    wait_for_all = quorum.wait_for_all
    texts = (f"r({link.linknumber}) ip({link.local_address}) " for link in config.membership.links)
    return ServiceParams(
        nodeid=config.nodeid,
        votes=votes,
        expected_votes=expected_votes(quorum, node_votes) or votes,
        two_node=bool(quorum.two_node),
        wait_for_all=None if wait_for_all is None else bool(wait_for_all),
        allow_downscale=bool(quorum.allow_downscale),
        last_man_standing=bool(quorum.last_man_standing),
        last_man_standing_window_ns=quorum.last_man_standing_window_ms * NS_PER_MS,
        tie_breaker=_tie_breaker(quorum),
        expected_votes_tracking=bool(quorum.expected_votes_tracking),
        listed_votes=sum(node_votes),
        device=_device(quorum, node_votes),
        votequorum=quorum.provider == "corosync_votequorum",
        ykd=quorum.provider == "corosync_ykd",
        config_version=config.totem.config_version,
        ip_text="".join(texts),
    )


def _tie_breaker(quorum: QuorumConfig) -> TieBreakerRule:
    """Source: votequorum.c, parse_atb_string."""
    if not quorum.auto_tie_breaker:
        return NO_TIE_BREAKER
    words = quorum.auto_tie_breaker_node
    if words == ("lowest",):
        return TieBreakerRule(TieBreaker.LOWEST)
    if words == ("highest",):
        return TieBreakerRule(TieBreaker.HIGHEST)
    return TieBreakerRule(TieBreaker.LIST, tuple(int(word) for word in words))


def _device(quorum: QuorumConfig, node_votes: Sequence[int]) -> DeviceParams | None:
    device = quorum.device
    if device is None or not device.model:
        return None
    return DeviceParams(
        device_votes(quorum, node_votes),
        device.timeout_ms * NS_PER_MS,
        device.sync_timeout_ms * NS_PER_MS,
    )
