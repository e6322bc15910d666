"""A change of keys that all members must have read before anybody uses the new one."""

import pytest

from corosync_tw.services.cfg.crypto_change import RETRY_NS, SETTLING_NS
from corosync_tw.services.cfg.effects import CryptoPhaseReached, KeysKnown, KeysSettled
from corosync_tw.services.cfg.engine import CfgEngine
from corosync_tw.services.cfg.key_agreement import TELLING_NS
from corosync_tw.services.cfg.wire import (
    ReloadConfig,
    encode_crypto_reconfig,
    encode_reload,
)
from corosync_tw.services.log_line import LogLine
from tests.unit.services.cfg.phases import ACTIVATE, CLEANUP, emitted, say, sent


@pytest.fixture
def engine(bus):
    engine = CfgEngine(1, bus)
    engine.agree_on_keys()
    engine.configuration_change((1, 2, 3))
    return engine


def told(bus):
    return [each for each in emitted(bus) if not isinstance(each, CryptoPhaseReached)]


def test_a_key_is_used_when_all_have_it_and_forgotten_when_all_use_the_next(bus, engine):
    engine.keys_changed(0)
    assert sent(bus) == [encode_crypto_reconfig(ACTIVATE)]
    say(engine, ACTIVATE, 1, 3)
    assert told(bus) == sent(bus) == []
    say(engine, ACTIVATE, 2)
    assert told(bus) == [KeysKnown()]
    assert sent(bus) == [encode_crypto_reconfig(CLEANUP)]
    say(engine, CLEANUP, 2, 1)
    assert told(bus) == []
    say(engine, CLEANUP, 3)
    assert told(bus) == [KeysSettled()]
    assert engine.next_deadline() is None


def test_members_may_be_faster_than_we_read(bus, engine):
    engine.on_reload_config(2, 1, encode_reload(ReloadConfig(2, 5)), False)
    say(engine, ACTIVATE, 2, 3)
    told(bus)
    engine.keys_changed(0)
    assert told(bus) == []
    say(engine, ACTIVATE, 1)
    assert told(bus) == [KeysKnown()]


def test_what_members_said_before_the_reload_does_not_count(bus, engine):
    say(engine, ACTIVATE, 2, 3)
    engine.on_reload_config(2, 1, encode_reload(ReloadConfig(2, 5)), False)
    engine.keys_changed(0)
    say(engine, ACTIVATE, 1)
    assert KeysKnown() not in told(bus)


def test_who_lacks_the_key_is_named_once_and_waited_for(bus, engine):
    engine.keys_changed(7)
    say(engine, ACTIVATE, 1)
    assert engine.next_deadline() == 7 + TELLING_NS
    engine.advance(6 + TELLING_NS)
    assert told(bus) == []
    engine.advance(7 + TELLING_NS)
    (line,) = told(bus)
    assert isinstance(line, LogLine)
    assert "nodes 2 3 do not have the new one" in line.text
    assert engine.next_deadline() is None
    # Their files are put right, and all read them again.
    engine.on_reload_config(2, 1, encode_reload(ReloadConfig(2, 5)), False)
    told(bus)
    engine.keys_changed(8 + TELLING_NS)
    say(engine, ACTIVATE, 1, 2, 3)
    assert told(bus) == [KeysKnown()]


def test_nobody_waits_for_members_that_left(bus, engine):
    engine.keys_changed(0)
    say(engine, ACTIVATE, 1, 2)
    assert told(bus) == []
    engine.configuration_change((1, 2))
    assert told(bus) == [KeysKnown()]
    say(engine, CLEANUP, 1)
    engine.configuration_change((1,))
    assert told(bus) == [KeysSettled()]


def test_who_comes_is_told_and_asked(bus, engine):
    engine.keys_changed(0)
    say(engine, ACTIVATE, 1, 2)
    sent(bus)
    engine.configuration_change((1, 2, 3, 4))
    assert sent(bus) == [encode_crypto_reconfig(ACTIVATE)]
    say(engine, ACTIVATE, 3)
    assert told(bus) == []
    say(engine, ACTIVATE, 4)
    assert told(bus) == [KeysKnown()]


def test_who_was_apart_hears_that_the_key_is_in_use(bus, engine):
    engine.configuration_change((1,))
    engine.keys_changed(0)
    say(engine, ACTIVATE, 1)
    say(engine, CLEANUP, 1)
    assert told(bus) == [KeysKnown(), KeysSettled()]
    sent(bus)
    engine.configuration_change((1, 2))
    assert sent(bus) == []
    say(engine, ACTIVATE, 2)
    assert sent(bus) == [encode_crypto_reconfig(CLEANUP)]
    say(engine, CLEANUP, 1, 2)
    assert told(bus) == [KeysSettled()]


def test_who_does_not_say_that_it_uses_the_key_is_not_waited_for_long(bus, engine):
    engine.keys_changed(0)
    say(engine, ACTIVATE, 1, 2, 3)
    told(bus)
    assert engine.next_deadline() == SETTLING_NS
    engine.advance(SETTLING_NS)
    assert told(bus) == [KeysSettled()]


def test_a_full_queue_is_tried_again(bus, engine):
    bus.full = True
    engine.keys_changed(0)
    assert engine.next_deadline() == RETRY_NS
    engine.advance(RETRY_NS)
    assert sent(bus) == []
    bus.full = False
    engine.advance(2 * RETRY_NS)
    assert sent(bus) == [encode_crypto_reconfig(ACTIVATE)]
    assert engine.next_deadline() == TELLING_NS
