"""Two keys at once: a change, on and off, while packets of both kinds are under way."""

import os

import pytest

from corosync_tw.net.crypto.settings import CLEAR, CryptoSettings
from corosync_tw.net.crypto.slots import CryptoSlots

OLD = CryptoSettings("aes256", "sha256", bytes(range(128)))
NEW = CryptoSettings("aes128", "sha512", bytes(range(100, 250)))
PACKET = b"a packet of knet"


def slots(settings: CryptoSettings) -> CryptoSlots:
    return CryptoSlots(settings, os.urandom)


def hears(listener: CryptoSlots, speaker: CryptoSlots) -> bool:
    (sealed,) = speaker.seal([PACKET])
    (opened,) = listener.open([sealed])
    if opened is None and listener.clear_allowed:
        opened = sealed
    return opened == PACKET


@pytest.mark.parametrize(("old", "new"), [(OLD, NEW), (NEW, OLD), (OLD, CLEAR), (CLEAR, NEW)])
def test_nobody_is_deaf_at_any_step_of_a_change(old, new):
    a, b = slots(old), slots(old)
    for step in (lambda s: s.prepare(new), CryptoSlots.activate, CryptoSlots.clean_up):
        for node in (a, b):
            step(node)
            assert hears(a, b), step
            assert hears(b, a), step
    stale = slots(old)
    if new.is_enabled():
        assert not hears(a, stale)
        assert a.stats.rx_unopened
    assert a.newest is new


def test_places_are_corosyncs():
    node = slots(OLD)
    assert node.in_use == 1
    assert node.prepare(NEW) == 2
    assert node.in_use == 1
    node.activate()
    assert node.in_use == 2
    node.clean_up()
    assert node.prepare(CLEAR) == 1
    node.activate()
    assert node.in_use == 0
    assert node.clear_allowed
    assert node.has_keys
    node.clean_up()
    assert not node.has_keys


def test_clear_packets_are_heard_only_while_that_is_the_setting():
    node, clear = slots(OLD), slots(CLEAR)
    assert not hears(node, clear)
    node.prepare(CLEAR)
    assert hears(node, clear)
    node.prepare(OLD)
    node.activate()
    node.clean_up()
    assert not hears(node, clear)


def test_what_is_counted():
    a, b = slots(OLD), slots(OLD)
    b.prepare(NEW)
    b.activate()
    a.prepare(NEW)
    sealed = b.seal([bytes(100)] * 10)
    assert b.stats.tx_packets == 10
    assert b.stats.tx_bytes_overhead == sum(map(len, sealed)) - 1000
    assert a.open([*sealed, os.urandom(96)]) == [*[bytes(100)] * 10, None]
    assert (a.stats.rx_packets, a.stats.rx_other_slot, a.stats.rx_unopened) == (10, 10, 1)


class Source:
    """Finds a key when it looks for the second time; packets of members begin with an a."""

    def __init__(self, found: CryptoSettings) -> None:
        self.found = found
        self.looked = 0
        self.follows = 0

    def look(self):
        self.looked += 1
        return self.found if self.looked == 2 else None

    def is_led_by(self, packet):
        return bytes(packet[:1]) == b"a"

    def followed(self):
        self.follows += 1


def test_a_key_that_others_have_already_is_looked_for():
    source = Source(NEW)
    ahead, behind = slots(OLD), CryptoSlots(OLD, os.urandom, source)
    ahead.prepare(NEW)
    ahead.activate()
    stranger = ahead.seal([b"ping"])
    assert behind.open(stranger) == [None]
    assert behind.open(stranger) == [b"ping"]
    assert (behind.in_use, source.looked, source.follows) == (1, 2, 0)
    # The reload comes to know of it, too.
    assert behind.prepare(NEW) == 2
    behind.activate()
    assert hears(ahead, behind)


@pytest.mark.parametrize(("old", "new"), [(OLD, NEW), (NEW, OLD), (OLD, CLEAR)])
def test_who_is_behind_follows_members(old, new):
    source = Source(new)
    source.looked = 1
    ahead, behind = slots(old), CryptoSlots(old, os.urandom, source)
    ahead.prepare(new)
    ahead.activate()
    (opened,) = behind.open(ahead.seal([PACKET]))
    assert opened == (PACKET if new.is_enabled() else None)
    assert source.follows == 1
    ahead.clean_up()
    assert hears(ahead, behind)
    behind.open(ahead.seal([PACKET]))
    assert source.follows == 1


def test_another_change_before_the_first_one_is_in_use_spares_the_key_in_use():
    third = CryptoSettings("aes192", "md5", bytes(128))
    node, peer = slots(OLD), slots(OLD)
    assert node.prepare(NEW) == 2
    assert node.prepare(third) == 2
    assert hears(node, peer)
    node.activate()
    peer.prepare(third)
    assert hears(peer, node)
