"""
Pings and pongs: whether a link is up, and how long a packet takes on it.

Each link is pinged at its interval; after ``pong_count`` pongs and one more it is up, and when the
last pong is older than the timeout it is down. The timeout is the configured one and twice the mean
latency. Of the only link that a host has it is ten times the configured one at first, once less
each second: to lose it for nothing costs the ring, while another link takes over for nothing. A
pong counts if it answers one of our last pings, once. A ping older than the newest one of its
sender on the same link is a copy, as long as newer ones come: it is answered, and changes nothing.

Source: libknet 1.25 threads_heartbeat.c, threads_rx.c, links.c.
Deviation: pongs must answer one of the last PINGS_OUTSTANDING_MAX pings, and what a copy of an old
ping says of sequence numbers is ignored; libknet believes any. The long timeout is that of every
link in libknet, so that a network which fails soon after it came costs the token.
"""

from collections.abc import Callable
from typing import Final

from corosync_tw.corotypes import NS_PER_S, NS_PER_US
from corosync_tw.errors import MalformedFrame
from corosync_tw.net.knet.hosts import PONG_TIMEOUT_BACKOFF, Host, HostTable, Link
from corosync_tw.net.knet.outbox import Origin, Outbox
from corosync_tw.net.knet.pmtud import PmtuDiscovery
from corosync_tw.net.knet.stats import Refusal
from corosync_tw.net.knet.wire import PacketType, Ping, decode_time, encode_ping, encode_time
from corosync_tw.totem.links import LinkEvent, LinkEventKind

ADJUST_INTERVAL_NS: Final = NS_PER_S
# What the latency adds to the timeout (KNET_LINK_PONG_TIMEOUT_LAT_MUL).
LATENCY_FACTOR: Final = 2
# After so many intervals without a newer ping an older one is from a machine that started anew.
PING_SILENCE_INTERVALS: Final = 3


class Heartbeat:
    """
    Keeps the links of all hosts up to date.

    :ivar deadline_ns: when ``advance`` has something to do.
    """

    def __init__(
        self,
        nodeid: int,
        table: HostTable,
        outbox: Outbox,
        discovery: PmtuDiscovery,
        last_seq: Callable[[], int],
    ) -> None:
        """:param last_seq: gives the seq of the last data packet we sent."""
        self._nodeid = nodeid
        self._table = table
        self._outbox = outbox
        self._discovery = discovery
        self._last_seq = last_seq
        self._adjust_ns = 0
        self.deadline_ns = 0

    def start(self, now_ns: int) -> None:
        """Ping every link for the first time."""
        self._adjust_ns = now_ns + ADJUST_INTERVAL_NS
        self.deadline_ns = now_ns
        self.advance(now_ns)

    def advance(self, now_ns: int) -> None:
        """Ping and look at what is due."""
        if now_ns < self.deadline_ns:
            return
        adjust = now_ns >= self._adjust_ns
        if adjust:
            self._adjust_ns = now_ns + ADJUST_INTERVAL_NS
        deadline_ns = self._adjust_ns
        for host, link in self._table.links():
            if not link.enabled:
                continue
            if adjust:
                _adjust(link)
            interval_ns = link.params.ping_interval_ns
            if link.ping_last_ns is None or now_ns - link.ping_last_ns >= interval_ns:
                self._ping(link, now_ns, timed=True)
            assert link.ping_last_ns is not None
            deadline_ns = min(deadline_ns, link.ping_last_ns + interval_ns)
            if link.pong_last_ns:
                due_ns = link.pong_last_ns + _timeout_ns(host, link)
                if now_ns >= due_ns:
                    self._down(host, link, now_ns)
                else:
                    deadline_ns = min(deadline_ns, due_ns)
        self.deadline_ns = deadline_ns

    def ping_all(self, now_ns: int) -> None:
        """Tell every host which seq we are at, because so many data packets were sent."""
        for _, link in self._table.links():
            if link.enabled:
                self._ping(link, now_ns, timed=False)

    def on_ping(self, host: Host, link: Link, ping: Ping, len_bytes: int, origin: Origin) -> None:
        """Answer a ping, and note what it says of its sender's sequence numbers."""
        stats = link.stats
        stats.rx_ping_packets += 1
        stats.rx_ping_bytes += len_bytes
        if self._is_copy(link, ping, origin.now_ns):
            self._outbox.refuse(Refusal.PING_REPLAYED, origin, host.nodeid)
        elif ping.timed:
            _on_timed(host, ping.seq)
        else:
            _on_untimed(host, ping.seq)
        pong = ping._replace(kind=PacketType.PONG, node=self._nodeid)
        stats.tx_pong_packets += 1
        stats.tx_pong_bytes += self._outbox.control(link, encode_ping(pong))

    def on_pong(self, host: Host, link: Link, pong: Ping, len_bytes: int, origin: Origin) -> None:
        """Measure the latency, and count towards the link's coming up."""
        stats, now_ns = link.stats, origin.now_ns
        stats.rx_pong_packets += 1
        stats.rx_pong_bytes += len_bytes
        if pong.time not in link.pings:
            self._outbox.refuse(Refusal.PONG_UNASKED, origin, host.nodeid)
            return
        link.pings.remove(pong.time)
        latency_ns = now_ns - decode_time(pong.time)
        link.pong_last_ns = now_ns
        if latency_ns > link.params.pong_timeout_ns:
            self._outbox.count(Refusal.PONG_LATE)
            return
        _measure(link, latency_ns // NS_PER_US)
        self.deadline_ns = min(self.deadline_ns, now_ns + _timeout_ns(host, link))
        if link.connected or link.latency_us * NS_PER_US >= link.pong_timeout_ns:
            return
        if link.received_pong < link.params.pong_count:
            link.received_pong += 1
            return
        self._up(host, link, now_ns)

    def link_changed(self) -> None:
        """Look at all links soon: one came, or has other times."""
        self.deadline_ns = 0

    def _ping(self, link: Link, now_ns: int, *, timed: bool) -> None:
        time = encode_time(now_ns)
        link.pings.append(time)
        link.ping_last_ns = now_ns
        ping = Ping(PacketType.PING, self._nodeid, link.params.link, time, self._last_seq(), timed)
        link.ping_last_bytes = self._outbox.control(link, encode_ping(ping))
        link.stats.tx_ping_packets += 1
        link.stats.tx_ping_bytes += link.ping_last_bytes

    def _is_copy(self, link: Link, ping: Ping, now_ns: int) -> bool:
        try:
            time_ns = decode_time(ping.time)
        except MalformedFrame:
            # Of a machine whose times are shorter: its copies cannot be told.
            return False
        silence_ns = PING_SILENCE_INTERVALS * link.params.ping_interval_ns
        if time_ns <= link.ping_high_ns and now_ns - link.ping_seen_ns < silence_ns:
            return True
        link.ping_high_ns = time_ns
        link.ping_seen_ns = now_ns
        return False

    def _up(self, host: Host, link: Link, now_ns: int) -> None:
        link.connected = True
        link.stats.up_count += 1
        self._emit(LinkEventKind.HOST_UP, host, link)
        self._discovery.link_up(link, now_ns)
        self._table.update(host)
        # The host's other links may have less time now.
        self.deadline_ns = now_ns

    def _down(self, host: Host, link: Link, now_ns: int) -> None:
        link.received_pong = 0
        link.pong_last_ns = 0
        link.backoff = PONG_TIMEOUT_BACKOFF
        if link.connected:
            link.connected = False
            link.stats.down_count += 1
            self._emit(LinkEventKind.HOST_DOWN, host, link)
            self._discovery.link_down(link, now_ns)
            self._table.update(host)

    def _emit(self, kind: LinkEventKind, host: Host, link: Link) -> None:
        self._outbox.effects.append(LinkEvent(kind, link.params.link, host.nodeid, ()))


def _adjust(link: Link) -> None:
    """Wait less long for pongs than at first (_adjust_pong_timeouts)."""
    if link.backoff > 1:
        link.backoff -= 1
    latency_ns = link.latency_us * NS_PER_US * LATENCY_FACTOR
    link.pong_timeout_ns = link.params.pong_timeout_ns * link.backoff + latency_ns


def _timeout_ns(host: Host, link: Link) -> int:
    """Tell how long a pong is waited for now."""
    if not link.usable or sum(each.usable for each in host.links.values()) < 2:
        return link.pong_timeout_ns
    return link.params.pong_timeout_ns + link.latency_us * NS_PER_US * LATENCY_FACTOR


def _measure(link: Link, sample_us: int) -> None:
    stats = link.stats
    samples = min(stats.latency_samples + 1, link.params.precision)
    link.latency_us = (link.latency_us * (samples - 1) + sample_us) // samples
    stats.latency_samples = samples
    stats.latency_ave = link.latency_us
    stats.latency_max = max(stats.latency_max, link.latency_us)
    stats.latency_min = min(stats.latency_min or link.latency_us, link.latency_us)


def _on_timed(host: Host, seq: int) -> None:
    """A host that has sent nothing yet began anew; its pings come on all links at once."""
    if seq != host.timed_seq:
        host.timed_seq = seq
        if seq == 0:
            host.clear_buffers()


def _on_untimed(host: Host, seq: int) -> None:
    """A host sent many packets, of which we got none if they went to others alone."""
    if seq == 0:
        return
    if seq != host.untimed_seq:
        host.untimed_seq = seq
        if not host.got_data:
            host.clear_buffers(seq)
        host.got_data = False
    host.window.is_new(seq)
    host.reassembly.expire(host.window.high)
