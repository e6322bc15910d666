"""
What has to hold between directives, the ring's names and timeouts apart.

Source: corosync 3.1.10 exec/totemconfig.c (totem_get_crypto, totem_config_keyread,
totem_config_validate), exec/votequorum.c (votequorum_readconfig), man 5 corosync.conf.
"""

from typing import Final

from corosync_tw.config.directive import directives
from corosync_tw.config.legacy import QUORUM_PROVIDERS
from corosync_tw.config.report import Report
from corosync_tw.config.schema import Sections
from corosync_tw.config.schema_totem import InterfaceConfig, TotemConfig

# The shortest frame that holds a token with its retransmission list, and the longest UDP datagram.
NETMTU_MIN_BYTES: Final = 576
NETMTU_MAX_BYTES: Final = 65535
_PROVIDERS: Final = ("corosync_votequorum", "corosync_ykd", *QUORUM_PROVIDERS)


def check_totem(sections: Sections, report: Report) -> None:
    """Check ``totem`` as a whole: version, frame length, keys of another transport."""
    totem = sections.totem
    transport = sections.transport()
    if totem.version != 2:
        report.fault(totem, "version", f"{totem.version} is not a known version, should be 2")
    if totem.transport is None and transport == "udp":
        report.warning(
            totem, "transport", "is udp, as in 1.x, because there is no nodelist; write it down"
        )
    netmtu_bytes = totem.netmtu_bytes
    if (
        transport != "knet"
        and netmtu_bytes is not None
        and not NETMTU_MIN_BYTES <= netmtu_bytes <= NETMTU_MAX_BYTES
    ):
        report.fault(
            totem,
            "netmtu",
            f"{netmtu_bytes} bytes do not work, should be {NETMTU_MIN_BYTES} to {NETMTU_MAX_BYTES}",
        )
    if totem.max_messages > totem.window_size_msgs:
        report.warning(
            totem,
            "max_messages",
            f"{totem.max_messages} is never reached, window_size is {totem.window_size_msgs}",
        )
    if transport != "knet":
        _warn_of_knet_keys(totem, transport, report)


def _warn_of_knet_keys(totem: TotemConfig, transport: str, report: Report) -> None:
    sections = ((totem, TotemConfig), *((i, InterfaceConfig) for i in totem.interfaces))
    for section, cls in sections:
        for _, declared in directives(cls):
            if declared.key.startswith("knet_") and section.given(declared.key):
                report.warning(section, declared.key, f"has no effect with transport {transport}")


def check_quorum(sections: Sections, report: Report) -> None:
    """Check ``quorum`` as the daemon will at its start, and stock does no earlier."""
    quorum = sections.quorum
    if quorum.provider is None:
        return
    if quorum.provider not in _PROVIDERS:
        report.fault(
            quorum,
            "provider",
            f'"{quorum.provider}" is unknown, should be corosync_votequorum or corosync_ykd',
        )
    elif quorum.provider in QUORUM_PROVIDERS:
        report.warning(
            quorum, "provider", f"is the 1.x name of {QUORUM_PROVIDERS[quorum.provider]}"
        )
    if quorum.provider != "corosync_votequorum":
        return
    if not sections.nodelist and not quorum.expected_votes:
        report.fault(
            quorum, "expected_votes", "nodelist or quorum.expected_votes must be configured"
        )
    _check_tie_breaker(sections, report)
    if quorum.device is not None and quorum.device.model is not None:
        _check_device(sections, report)


def _check_tie_breaker(sections: Sections, report: Report) -> None:
    quorum = sections.quorum
    votes = sum(node.quorum_votes for node in sections.nodelist)
    if not quorum.auto_tie_breaker:
        if quorum.given("auto_tie_breaker_node"):
            report.warning(
                quorum, "auto_tie_breaker_node", "is meaningless if auto_tie_breaker is set to 0"
            )
        return
    if quorum.two_node:
        report.warning(
            quorum, "two_node", "is switched off, it is not compatible with auto_tie_breaker"
        )
    waits = quorum.wait_for_all if quorum.wait_for_all is not None else quorum.two_node
    if votes % 2 and not waits:
        if quorum.last_man_standing:
            report.fault(
                quorum,
                "auto_tie_breaker",
                "auto_tie_breaker & last_man_standing not available in odd sized cluster, remove "
                "last_man_standing and set wait_for_all",
            )
        else:
            report.warning(
                quorum,
                "auto_tie_breaker",
                "is switched off, an odd sized cluster needs wait_for_all with it",
            )


def _check_device(sections: Sections, report: Report) -> None:
    quorum = sections.quorum
    device = quorum.device
    assert device is not None, "called only with a device"
    for key, value in (
        ("two_node", quorum.two_node),
        ("last_man_standing", quorum.last_man_standing),
        ("auto_tie_breaker", quorum.auto_tie_breaker),
        ("allow_downscale", quorum.allow_downscale),
    ):
        if value:
            report.fault(quorum, key, f"quorum.device is not compatible with {key}, remove one")
    if device.votes is None and quorum.expected_votes:
        report.fault(device, "votes", "must be specified when quorum.expected_votes is set, add it")
    elif device.votes is None and any(node.quorum_votes != 1 for node in sections.nodelist):
        report.fault(device, "votes", "must be specified when not all nodes votes 1, add it")
    elif device.votes and quorum.expected_votes and quorum.expected_votes - device.votes < 2:
        report.fault(
            device,
            "votes",
            f"{device.votes} is too high or expected_votes ({quorum.expected_votes}) is too low, "
            "the nodes must have at least 2 of the expected votes",
        )


def check_logging(sections: Sections, report: Report) -> None:
    """Check that what is logged to a file has a file."""
    logging = sections.logging
    for config in (logging, *logging.subsystems):
        wanted = config.to_logfile if config.to_logfile is not None else config.to_file
        if wanted and config.logfile is None and logging.logfile is None:
            report.warning(config, "to_logfile", "has no effect without logfile, name one")
