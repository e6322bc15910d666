"""
What is counted, under the names that libknet gives and Corosync shows below ``stats.knet``.

Source: libknet 1.25 libknet.h, knet_link_stats and knet_handle_stats; corosync 3.1.7 exec/stats.c.
"""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

# Least time of what never happened (UINT64_MAX).
NEVER_NS: Final = 2**64 - 1


@dataclass(slots=True)
class LinkStats:
    """
    One link. Bytes are those of UDP payloads; latencies are microseconds.

    :ivar latency_min: least mean, 0 before one was measured.
    """

    tx_data_packets: int = 0
    rx_data_packets: int = 0
    tx_data_bytes: int = 0
    rx_data_bytes: int = 0
    tx_ping_packets: int = 0
    rx_ping_packets: int = 0
    tx_ping_bytes: int = 0
    rx_ping_bytes: int = 0
    tx_pong_packets: int = 0
    rx_pong_packets: int = 0
    tx_pong_bytes: int = 0
    rx_pong_bytes: int = 0
    tx_pmtu_packets: int = 0
    rx_pmtu_packets: int = 0
    tx_pmtu_bytes: int = 0
    rx_pmtu_bytes: int = 0
    tx_pmtu_errors: int = 0
    tx_pmtu_retries: int = 0
    tx_ping_errors: int = 0
    tx_ping_retries: int = 0
    tx_pong_errors: int = 0
    tx_pong_retries: int = 0
    tx_data_errors: int = 0
    tx_data_retries: int = 0
    latency_min: int = 0
    latency_max: int = 0
    latency_ave: int = 0
    latency_samples: int = 0
    down_count: int = 0
    up_count: int = 0

    @property
    def tx_total_packets(self) -> int:
        """All packets sent."""
        return (
            self.tx_data_packets
            + self.tx_ping_packets
            + self.tx_pong_packets
            + self.tx_pmtu_packets
        )

    @property
    def rx_total_packets(self) -> int:
        """All packets received."""
        return (
            self.rx_data_packets
            + self.rx_ping_packets
            + self.rx_pong_packets
            + self.rx_pmtu_packets
        )

    @property
    def tx_total_bytes(self) -> int:
        """All bytes sent."""
        return self.tx_data_bytes + self.tx_ping_bytes + self.tx_pong_bytes + self.tx_pmtu_bytes

    @property
    def rx_total_bytes(self) -> int:
        """All bytes received."""
        return self.rx_data_bytes + self.rx_ping_bytes + self.rx_pong_bytes + self.rx_pmtu_bytes

    @property
    def tx_total_errors(self) -> int:
        """All packets that could not be sent."""
        return self.tx_data_errors + self.tx_ping_errors + self.tx_pong_errors + self.tx_pmtu_errors

    @property
    def tx_total_retries(self) -> int:
        """All packets that were sent at a second attempt."""
        return (
            self.tx_data_retries
            + self.tx_ping_retries
            + self.tx_pong_retries
            + self.tx_pmtu_retries
        )


@dataclass(slots=True)
class Times:
    """
    How long some work takes for one packet or frame, in nanoseconds.

    :ivar min: NEVER_NS before the first; ``ave`` is the mean of all.
    """

    min: int = NEVER_NS
    max: int = 0
    total_ns: int = 0
    count: int = 0

    def note(self, each_ns: int, count: int = 1) -> None:
        """Take in so many that took as long each."""
        self.min = min(self.min, each_ns)
        self.max = max(self.max, each_ns)
        self.total_ns += each_ns * count
        self.count += count

    @property
    def ave(self) -> int:
        """Mean, 0 for none."""
        return self.total_ns // self.count if self.count else 0


@dataclass(slots=True)
class HandleStats:
    """
    Compression of frames and encryption of data packets, of all links together.

    Deviation: what packets that go through one call of the cipher take is divided among them.
    """

    tx_uncompressed_packets: int = 0
    tx_compressed_packets: int = 0
    tx_compressed_original_bytes: int = 0
    tx_compressed_size_bytes: int = 0
    rx_compressed_packets: int = 0
    rx_compressed_original_bytes: int = 0
    rx_compressed_size_bytes: int = 0
    tx_crypt_packets: int = 0
    tx_crypt_byte_overhead: int = 0
    rx_crypt_packets: int = 0
    tx_compress_time: Times = field(default_factory=Times)
    rx_compress_time: Times = field(default_factory=Times)
    tx_crypt_time: Times = field(default_factory=Times)
    rx_crypt_time: Times = field(default_factory=Times)


class Refusal(IntEnum):
    """Why a packet was dropped: first value of a PACKET_REFUSED event."""

    MALFORMED = 1  # no packet of knet's version 1
    UNSEALED = 2  # nobody with our key made it
    UNKNOWN_NODE = 3  # of a node that is not configured
    WRONG_ADDRESS = 4  # from an address that is not the node's on this link
    SWAPPED_LINKS = 5  # the address is the node's, on another link
    OWN_NODEID = 6  # somebody else, or a mirror, uses our nodeid
    UNREACHABLE_NODE = 7  # data of a node of which no link is up
    PONG_UNASKED = 8  # answers no ping of ours
    PING_REPLAYED = 9  # older than what its sender sent on this link
    PONG_LATE = 10  # took longer than the timeout
    FRAGMENT = 11  # of a length, number or place that contradicts the others
    FRAGMENT_EXPIRED = 12  # of a frame that was given up
    DUPLICATE = 13  # of a frame that is here
    NOT_FOR_US = 14  # its target is another node
    COMPRESSION = 15  # cannot be decompressed
    CHANNEL = 16  # for a channel that Corosync does not use
    PMTUD_UNASKED = 17  # answers no packet of ours
