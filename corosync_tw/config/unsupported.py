"""
What is right in a corosync.conf and yet not in this version of ours.

Kept apart from the checks, so that testing a file agrees with Corosync's own test of it.
"""

from corosync_tw.config.report import Report
from corosync_tw.config.schema import Sections


def unsupported(sections: Sections) -> list[str]:
    """
    Say why this version cannot run a file that is right.

    :return: one message each, with the remedy; empty when the daemon can start.
    """
    totem = sections.totem
    transport = sections.transport()
    report = Report(sections.file)
    if transport not in {"udp", "udpu"}:
        report.fault(
            totem,
            "transport",
            f'{transport} is not in this version, write "transport: udpu" (unicast) or '
            '"transport: udp" (multicast)',
        )
    if totem.crypto() != ("none", "none"):
        keys = ("crypto_cipher", "crypto_hash", "secauth")
        report.fault(
            totem,
            next((key for key in keys if totem.given(key)), "secauth"),
            'encryption is not in this version, write "crypto_cipher: none", "crypto_hash: none" '
            'and "secauth: off", and keep the network closed',
        )
    return report.faults
