"""What refused packets tell of their senders."""

import string

import pytest

from corosync_tw.daemon.knet_troubles import refusal_text
from corosync_tw.net.knet.stats import Refusal
from corosync_tw.totem.links import LinkEvent, LinkEventKind


def said(cause, source=("10.0.0.9", 5405), count=1):
    event = LinkEvent(LinkEventKind.PACKET_REFUSED, 1, 7, (int(cause), count))
    return refusal_text(event, source)


@pytest.mark.parametrize("cause", list(Refusal))
def test_every_cause_has_words_with_the_peer_in_it(cause):
    text = said(cause)
    assert "10.0.0.9:5405" in text or "node 7" in text
    assert not set(text) & set("{}")
    assert all(char in string.printable for char in text)


def test_the_likely_mistake_is_named():
    assert "crypto_cipher" in said(Refusal.UNSEALED)
    assert "ring1_addr" in said(Refusal.WRONG_ADDRESS)
    assert "another order" in said(Refusal.SWAPPED_LINKS)
    assert "nodelist" in said(Refusal.UNKNOWN_NODE)


def test_counts_and_addresses():
    assert said(Refusal.UNSEALED, ("fd00::9", 5405, 0, 0), 8).endswith("(8 so far)")
    assert "[fd00::9]:5405" in said(Refusal.UNSEALED, ("fd00::9", 5405, 0, 0))
    assert "somewhere" in said(Refusal.MALFORMED, "somewhere")
    assert "cause: 99" in said(99)
