"""
How stock Corosync puts messages together: what totempg_deliver_fn does, its faults included.

Our packets must come out of it whole, for a ring may have members of both kinds.
"""

import struct


class StockReceiver:
    """One sender's assembly; ``messages`` are those delivered, group names included."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self._fresh()

    def _fresh(self) -> None:
        self._data = b""
        self._last_fragment = 0
        self._throwing_away = False

    def deliver(self, packet: bytes) -> None:
        fragmented, continuation, count = struct.unpack_from("<BBH", packet, 4)
        lens = struct.unpack_from(f"<{count}H", packet, 8)
        body = packet[8 + 2 * count :]
        assert len(body) == sum(lens), "stock drops a packet of another length"
        data = self._data + body
        whole = count - 1 if fragmented else count
        at = 0
        if self._throwing_away:
            if fragmented in {0, 1}:
                self._throwing_away = False
                at = len(self._data) + lens[0] if count else 0
        elif continuation == self._last_fragment:
            self._last_fragment = fragmented
            for i in range(whole):
                end = at + lens[i] + (len(self._data) if i == 0 else 0)
                self.messages.append(data[at:end])
                at = end
        else:
            self._throwing_away = True
        if not fragmented:
            self._fresh()
        elif count > 1:
            self._data = data[at : at + lens[-1]]
        else:
            self._data = data
