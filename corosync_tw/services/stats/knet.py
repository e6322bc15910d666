"""
The links of knet as keys: ``stats.knet.*``.

Source: Corosync exec/stats.c cs_knet_stats, cs_knet_handle_stats, for names and types.
"""

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from corosync_tw.errors import CsNotExist
from corosync_tw.services.cmap.values import TypedValue

PREFIX: Final = "stats.knet."
_HANDLE: Final = f"{PREFIX}handle."
_KINDS: Final = ("data", "ping", "pong", "pmtu", "total")
# In stock this key shows the retries of sending.
_NAMED_WRONG: Final = {"rx_total_retries": "tx_total_retries"}

Make = Callable[[int], TypedValue]


def _link_types() -> dict[str, Make]:
    types: dict[str, Make] = dict.fromkeys(("enabled", "connected"), TypedValue.u8)
    for kind in _KINDS:
        for way in ("tx", "rx"):
            types[f"{way}_{kind}_packets"] = types[f"{way}_{kind}_bytes"] = TypedValue.u64
        if kind != "total":
            types[f"tx_{kind}_errors"] = types[f"tx_{kind}_retries"] = TypedValue.u32
    types["tx_total_errors"] = types["rx_total_retries"] = TypedValue.u64
    numbers = ("mtu", "latency_min", "latency_max", "latency_ave", "latency_samples")
    types |= dict.fromkeys((*numbers, "down_count", "up_count"), TypedValue.u32)
    return types


def _handle_names() -> tuple[str, ...]:
    times = [f"{way}_{work}_time_" for way in ("tx", "rx") for work in ("compress", "crypt")]
    compressed = ("packets", "original_bytes", "size_bytes")
    return (
        *(f"{time}{which}" for time in times for which in ("min", "max", "ave")),
        *(f"{way}_compressed_{what}" for way in ("tx", "rx") for what in compressed),
        "tx_uncompressed_packets",
        "tx_crypt_byte_overhead",
        "tx_crypt_packets",
        "rx_crypt_packets",
    )


LINK_TYPES: Final = _link_types()
HANDLE_NAMES: Final = _handle_names()


class KnetState(Protocol):
    """
    What is asked of a transport of knet.

    Names are those of libknet's structures knet_link_status, knet_link_stats, knet_handle_stats.
    """

    def links(self) -> Sequence[tuple[int, int]]:
        """
        List (nodeid, link) of all links, the one to ourselves among them, ascending.

        The same object as last time says that none came or went.
        """

    def link_value(self, nodeid: int, link: int, name: str) -> int:
        """Give a number of a link that is there."""

    def handle_value(self, name: str) -> int:
        """Give a number of all links together."""

    def clear_stats(self) -> None:
        """Begin to count anew."""


class KnetKeys:
    """A Provider of cmap."""

    def __init__(self, state: KnetState) -> None:
        self._state = state
        self._links: Sequence[tuple[int, int]] | None = None
        self._by_prefix: dict[str, tuple[int, int]] = {}
        self._keys: tuple[str, ...] = ()

    def keys(self) -> Sequence[str]:
        """List the keys of all links."""
        links = self._state.links()
        if links is not self._links:
            self._links = links
            self._by_prefix = {
                f"{PREFIX}node{node}.link{link}": (node, link) for node, link in links
            }
            self._keys = (
                *(f"{_HANDLE}{name}" for name in HANDLE_NAMES),
                *(f"{prefix}.{name}" for prefix in self._by_prefix for name in LINK_TYPES),
            )
        return self._keys

    def clear_stats(self) -> None:
        """Begin to count anew."""
        self._state.clear_stats()

    def get(self, key: str) -> TypedValue:
        """Compute a value; raises CsNotExist."""
        if key.startswith(_HANDLE):
            name = key.removeprefix(_HANDLE)
            if name in HANDLE_NAMES:
                return TypedValue.u64(self._state.handle_value(name))
        prefix, _, name = key.rpartition(".")
        self.keys()
        link, make = self._by_prefix.get(prefix), LINK_TYPES.get(name)
        if link is None or make is None:
            raise CsNotExist(f"key {key!r}")
        return make(self._state.link_value(*link, _NAMED_WRONG.get(name, name)))
