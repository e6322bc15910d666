"""The links of knet as keys of the stats map."""

import pytest

from corosync_tw.errors import CsNotExist
from corosync_tw.services.cmap.values import TypedValue
from corosync_tw.services.stats.knet import HANDLE_NAMES, LINK_TYPES, KnetKeys

# Of one link and of the handle, as corosync-cmapctl -m stats of 3.1.7 prints them.
STOCK_LINK = """
connected (u8) down_count (u32) enabled (u8) latency_ave (u32) latency_max (u32) latency_min (u32)
latency_samples (u32) mtu (u32) rx_data_bytes (u64) rx_data_packets (u64) rx_ping_bytes (u64)
rx_ping_packets (u64) rx_pmtu_bytes (u64) rx_pmtu_packets (u64) rx_pong_bytes (u64)
rx_pong_packets (u64) rx_total_bytes (u64) rx_total_packets (u64) rx_total_retries (u64)
tx_data_bytes (u64) tx_data_errors (u32) tx_data_packets (u64) tx_data_retries (u32)
tx_ping_bytes (u64) tx_ping_errors (u32) tx_ping_packets (u64) tx_ping_retries (u32)
tx_pmtu_bytes (u64) tx_pmtu_errors (u32) tx_pmtu_packets (u64) tx_pmtu_retries (u32)
tx_pong_bytes (u64) tx_pong_errors (u32) tx_pong_packets (u64) tx_pong_retries (u32)
tx_total_bytes (u64) tx_total_errors (u64) tx_total_packets (u64) up_count (u32)
"""
STOCK_HANDLE = """
rx_compress_time_ave rx_compress_time_max rx_compress_time_min rx_compressed_original_bytes
rx_compressed_packets rx_compressed_size_bytes rx_crypt_packets rx_crypt_time_ave rx_crypt_time_max
rx_crypt_time_min tx_compress_time_ave tx_compress_time_max tx_compress_time_min
tx_compressed_original_bytes tx_compressed_packets tx_compressed_size_bytes tx_crypt_byte_overhead
tx_crypt_packets tx_crypt_time_ave tx_crypt_time_max tx_crypt_time_min tx_uncompressed_packets
"""


class State:
    def __init__(self):
        self.pairs = [(1, 0), (2, 0)]

    def links(self):
        return self.pairs

    def link_value(self, nodeid, link, name):
        return 1000 * nodeid + len(name)

    def handle_value(self, name):
        return len(name)


def test_names_and_types_are_stocks():
    words = STOCK_LINK.split()
    kinds = dict(zip(words[::2], words[1::2], strict=True))
    made = {
        name: f"({make(0).kind.name.replace('UINT', 'u')})" for name, make in LINK_TYPES.items()
    }
    assert made == kinds
    assert sorted(HANDLE_NAMES) == STOCK_HANDLE.split()


def test_keys_follow_the_links():
    state = State()
    keys = KnetKeys(state)
    assert len(keys.keys()) == 22 + 2 * 39
    assert keys.keys() is keys.keys()
    assert keys.get("stats.knet.node2.link0.mtu") == TypedValue.u32(2003)
    state.pairs = [(1, 0)]
    assert len(keys.keys()) == 22 + 39
    with pytest.raises(CsNotExist):
        keys.get("stats.knet.node2.link0.mtu")


def test_what_stock_names_wrong_is_named_as_stock_does():
    keys = KnetKeys(State())
    expected = TypedValue.u64(1000 + len("tx_total_retries"))
    assert keys.get("stats.knet.node1.link0.rx_total_retries") == expected
    assert keys.get("stats.knet.handle.tx_crypt_packets") == TypedValue.u64(16)
    for key in ("stats.knet.handle.x", "stats.knet.node1.link0.x", "stats.knet.node1.link1.mtu"):
        with pytest.raises(CsNotExist):
            keys.get(key)
