"""
What is right in a corosync.conf and yet not in this version of ours.

Kept apart from the checks, so that testing a file agrees with Corosync's own test of it.
"""

from typing import Final

from corosync_tw.config.checks import NETMTU_MIN_BYTES
from corosync_tw.config.report import Report
from corosync_tw.config.schema import Sections

# Longest message of knet (libknet.h, KNET_MAX_PACKET_SIZE).
KNET_NETMTU_MAX_BYTES: Final = 65536


def unsupported(sections: Sections) -> list[str]:
    """
    Say why this version cannot run a file that is right.

    :return: one message each, with the remedy; empty when the daemon can start.
    """
    totem = sections.totem
    transport = sections.transport()
    report = Report(sections.file)
    if transport not in {"udp", "udpu", "knet"}:
        report.fault(
            totem,
            "transport",
            f'{transport} is not in this version, write "transport: knet", "transport: udpu" '
            '(unicast) or "transport: udp" (multicast)',
        )
    if transport == "knet":
        _check_knet(sections, report)
    if transport != "knet" and totem.crypto() != ("none", "none"):
        keys = ("crypto_cipher", "crypto_hash", "secauth")
        report.fault(
            totem,
            next((key for key in keys if totem.given(key)), "secauth"),
            'encryption of 1.x is not in this version, write "secauth: off" and, if all nodes run '
            'corosync_tw, "udp_crypto: aes256-gcm"; or use transport knet',
        )
    return report.faults


def _check_knet(sections: Sections, report: Report) -> None:
    totem = sections.totem
    for interface in totem.interfaces:
        if interface.knet_transport == "sctp":
            report.fault(
                interface, "knet_transport", 'sctp is not in this version, write "udp" or nothing'
            )
    netmtu_bytes = totem.netmtu_bytes
    if netmtu_bytes is not None and not (NETMTU_MIN_BYTES <= netmtu_bytes <= KNET_NETMTU_MAX_BYTES):
        report.fault(
            totem,
            "netmtu",
            f"{netmtu_bytes} bytes do not work, should be {NETMTU_MIN_BYTES} to "
            f"{KNET_NETMTU_MAX_BYTES}",
        )
