"""A change of keys among members: who tells what, and when the old key is forgotten."""

from corosync_tw.services.cfg.crypto_change import RETRY_NS, SETTLING_NS
from corosync_tw.services.cfg.effects import CryptoPhaseReached, KeysSettled, ReloadRequested
from corosync_tw.services.cfg.wire import (
    CryptoPhase,
    ReloadConfig,
    encode_crypto_reconfig,
    encode_reload,
)
from tests.unit.services.cfg.phases import ACTIVATE, CLEANUP, emitted, say, sent


def test_the_old_key_is_forgotten_when_all_seal_with_the_new_one(bus, engine):
    engine.keys_changed(0)
    assert sent(bus) == [encode_crypto_reconfig(ACTIVATE)]
    say(engine, ACTIVATE, 2)
    say(engine, CLEANUP, 2)
    assert emitted(bus) == []
    say(engine, ACTIVATE, 1)
    assert emitted(bus) == [CryptoPhaseReached(ACTIVATE)]
    assert sent(bus) == [encode_crypto_reconfig(CLEANUP)]
    say(engine, CLEANUP, 1)
    assert emitted(bus) == [CryptoPhaseReached(CLEANUP)]
    say(engine, CLEANUP, 3)
    assert emitted(bus) == [KeysSettled()]
    assert engine.next_deadline() is None


def test_members_may_be_faster_than_we_read(bus, engine):
    engine.on_reload_config(2, 1, encode_reload(ReloadConfig(2, 5)), False)
    assert emitted(bus) == [ReloadRequested(2)]
    for phase in CryptoPhase:
        say(engine, phase, 2)
        say(engine, phase, 3)
    engine.keys_changed(0)
    say(engine, ACTIVATE, 1)
    emitted(bus)
    say(engine, CLEANUP, 1)
    assert emitted(bus) == [CryptoPhaseReached(CLEANUP), KeysSettled()]


def test_what_members_said_before_the_reload_does_not_count(bus, engine):
    for nodeid in (2, 3):
        say(engine, CLEANUP, nodeid)
    engine.on_reload_config(2, 1, encode_reload(ReloadConfig(2, 5)), False)
    engine.keys_changed(0)
    say(engine, CLEANUP, 1)
    assert KeysSettled() not in emitted(bus)


def test_nobody_waits_for_members_that_left(bus, engine):
    engine.keys_changed(0)
    say(engine, CLEANUP, 1)
    emitted(bus)
    engine.configuration_change((1, 2))
    assert emitted(bus) == []
    engine.configuration_change((1,))
    assert emitted(bus) == [KeysSettled()]


def test_who_says_nothing_is_not_waited_for_long(bus, engine):
    engine.keys_changed(7)
    assert engine.next_deadline() == 7 + SETTLING_NS
    engine.advance(6 + SETTLING_NS)
    assert emitted(bus) == []
    engine.advance(7 + SETTLING_NS)
    assert emitted(bus) == [KeysSettled()]
    say(engine, CLEANUP, 3)
    assert emitted(bus) == []


def test_a_full_queue_is_tried_again(bus, engine):
    bus.full = True
    engine.keys_changed(0)
    assert engine.next_deadline() == RETRY_NS
    engine.advance(RETRY_NS)
    assert sent(bus) == []
    bus.full = False
    engine.advance(2 * RETRY_NS)
    assert sent(bus) == [encode_crypto_reconfig(ACTIVATE)]
    assert engine.next_deadline() == SETTLING_NS


def test_a_number_that_is_no_phase_changes_nothing(bus, engine):
    engine.keys_changed(0)
    sent(bus)
    engine.on_crypto_reconfig(2, 1, encode_crypto_reconfig(ACTIVATE)[:16] + b"\xff" * 8, False)
    assert emitted(bus) == sent(bus) == []
