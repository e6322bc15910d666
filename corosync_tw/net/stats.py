"""Counters of a transport; plain attributes, read by status and metrics."""

from dataclasses import dataclass


@dataclass(slots=True)
class TransportStats:
    """
    All counters start at 0 and only grow.

    :ivar rx_batches: calls of the receiver.
    :ivar rx_calls: successful receive system calls.
    :ivar rx_frames: datagrams handed over, after splitting what the kernel had merged.
    :ivar rx_bytes: their payload.
    :ivar rx_own: datagrams of our own that came back, dropped.
    :ivar rx_rejected: datagrams from unlisted addresses, dropped (totem.block_unlisted_ips).
    :ivar rx_truncated: datagrams longer than any buffer, dropped.
    :ivar rx_errors: other failed receive calls.
    :ivar tx_calls: successful send system calls.
    :ivar tx_frames: datagrams sent; one to three nodes by unicast counts three times.
    :ivar tx_bytes: their payload.
    :ivar tx_gso_calls: send calls that carried more than one datagram.
    :ivar tx_blocked: times the kernel had no room and the send queue was used.
    :ivar tx_dropped: datagrams dropped because the send queue was full.
    :ivar tx_unreachable: sends refused by the network: refused, unreachable, down, not permitted.
    :ivar tx_errors: other failed send calls.
    :ivar tx_too_long: probes of the path that were too long for our own interface.
    :ivar tx_no_address: datagrams for a node whose address is unknown.
    :ivar interface_downs: times the interface was seen going away.
    """

    rx_batches: int = 0
    rx_calls: int = 0
    rx_frames: int = 0
    rx_bytes: int = 0
    rx_own: int = 0
    rx_rejected: int = 0
    rx_truncated: int = 0
    rx_errors: int = 0
    tx_calls: int = 0
    tx_frames: int = 0
    tx_bytes: int = 0
    tx_gso_calls: int = 0
    tx_blocked: int = 0
    tx_dropped: int = 0
    tx_unreachable: int = 0
    tx_errors: int = 0
    tx_too_long: int = 0
    tx_no_address: int = 0
    interface_downs: int = 0
