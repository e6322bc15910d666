"""Administration: orders of members, votes on a shutdown, reloads."""

import pytest

from corosync_tw.corotypes import NS_PER_MS
from corosync_tw.errors import (
    CsAccess,
    CsBusy,
    CsExist,
    CsNotExist,
    CsTimeout,
    CsTryAgain,
    MalformedFrame,
)
from corosync_tw.services.cfg.effects import (
    NodeKilled,
    NodeShutDown,
    ReloadAnswered,
    ReloadRequested,
    ReopenLogs,
    RingsReenabled,
    ShutdownAnswered,
    ShutdownDecided,
)
from corosync_tw.services.cfg.effects import (
    TestShutdown as Asked,
)
from corosync_tw.services.cfg.engine import (
    ANNOUNCE_RETRY_NS,
    KILLED_EXIT_CODE,
    RELOADS_MAX,
)
from corosync_tw.services.cfg.shutdown import ShutdownFlag
from corosync_tw.services.cfg.wire import (
    CRYPTO_RECONFIG,
    KillNode,
    ReloadConfig,
    RingReenable,
    encode_killnode,
    encode_reload,
    encode_ring_reenable,
    encode_shutdown,
)
from corosync_tw.services.effects import FatalError
from tests.unit.services.cfg.phases import emitted

REQUEST, REGARDLESS, IMMEDIATE = ShutdownFlag
TIMEOUT_MS = 5000
SHUTDOWN = (b"a", encode_shutdown())
OK = 1


def ended(text, exit_code, *, leave_first):
    return FatalError(text, exit_code, leave_first, subsys="CFG", level="notice")


class TestMessages:
    def test_killed_by_another_node(self, bus, engine):
        engine.on_killnode(2, 1, encode_killnode(KillNode(3, b"not us")), False)
        assert emitted(bus) == [NodeKilled(3, 2, "not us")]
        engine.on_killnode(2, 1, encode_killnode(KillNode(4, b"nobody")), False)
        assert bus.effects == []
        engine.on_killnode(2, 1, encode_killnode(KillNode(1, b"because\0tail")), False)
        text = "Killed by node 2 : because"
        assert bus.effects == [ended(text, KILLED_EXIT_CODE, leave_first=False)]

    def test_only_our_own_announcement_ends_us(self, bus, engine):
        engine.announce_shutdown()
        assert bus.ordinary == [SHUTDOWN]
        engine.on_shutdown(2, 1, SHUTDOWN[1], False)
        assert emitted(bus) == [NodeShutDown(2)]
        engine.on_shutdown(1, 1, SHUTDOWN[1], False)
        assert bus.effects == [ended("Node 1 was shut down by sysadmin", 0, leave_first=True)]

    def test_the_others_are_taken_without_consequence(self, bus, engine):
        engine.on_crypto_reconfig(2, 1, CRYPTO_RECONFIG.little.pack(0x10004, 24, 1), False)
        assert bus.effects == bus.ordinary == bus.trans == []

    def test_rings_are_re_enabled_for_anybody(self, bus, engine):
        engine.reenable_rings(7)
        message = encode_ring_reenable(RingReenable(1, 7))
        assert bus.ordinary == [(b"a", message)]
        engine.on_ringreenable(1, 1, message, False)
        engine.on_ringreenable(2, 1, message, False)
        assert emitted(bus) == [RingsReenabled(7), RingsReenabled(0)]

    def test_malformed_messages_are_refused(self, engine):
        for handler in engine.exec_handlers().values():
            with pytest.raises(MalformedFrame):
                handler(2, 1, bytes(15), False)


class TestKill:
    def test_a_member_is_ordered_to_die(self, bus, engine):
        engine.kill_node(3, b"fenced")
        assert bus.ordinary == [(b"a", encode_killnode(KillNode(3, b"fenced")))]

    def test_who_is_not_there_cannot_be_killed(self, bus, engine):
        engine.configuration_change((1, 2))
        with pytest.raises(CsNotExist):
            engine.kill_node(3, b"fenced")
        assert bus.ordinary == []


class TestVote:
    def test_nobody_tracks(self, bus, engine):
        assert engine.try_shutdown(5, REQUEST, TIMEOUT_MS, 0)
        assert bus.ordinary == [SHUTDOWN]
        assert bus.effects == []

    def test_who_wants_it_is_not_asked(self, bus, engine):
        engine.track_start(5)
        assert engine.try_shutdown(5, REQUEST, TIMEOUT_MS, 0)
        assert bus.ordinary == [SHUTDOWN]

    def test_all_agree(self, bus, engine):
        for conn in (6, 7):
            engine.track_start(conn)
        assert not engine.try_shutdown(5, REQUEST, TIMEOUT_MS, 0)
        assert emitted(bus) == [Asked(6, REQUEST, OK), Asked(7, REQUEST, OK)]
        engine.reply_to_shutdown(7, yes=True)
        assert emitted(bus) == bus.ordinary == []
        engine.reply_to_shutdown(6, yes=True)
        assert emitted(bus) == [ShutdownAnswered(5, OK), ShutdownDecided(2, 0, REQUEST)]
        assert bus.ordinary == [SHUTDOWN]
        with pytest.raises(CsAccess):
            engine.reply_to_shutdown(6, yes=True)

    @pytest.mark.parametrize("flags", [REQUEST, 77])
    def test_one_veto_is_enough(self, bus, engine, flags):
        engine.track_start(6)
        engine.track_start(7)
        engine.try_shutdown(5, flags, TIMEOUT_MS, 0)
        emitted(bus)
        engine.reply_to_shutdown(7, yes=False)
        engine.reply_to_shutdown(6, yes=True)
        assert emitted(bus) == [ShutdownAnswered(5, CsBusy.code), ShutdownDecided(1, 1, flags)]
        assert bus.ordinary == []
        assert engine.next_deadline() is None

    def test_regardless_asks_and_goes(self, bus, engine):
        engine.track_start(6)
        engine.try_shutdown(5, REGARDLESS, TIMEOUT_MS, 0)
        assert emitted(bus) == [Asked(6, REGARDLESS, OK)]
        engine.reply_to_shutdown(6, yes=False)
        assert emitted(bus) == [ShutdownAnswered(5, OK), ShutdownDecided(0, 1, REGARDLESS)]
        assert bus.ordinary == [SHUTDOWN]

    def test_immediate_asks_nobody_even_during_a_vote(self, bus, engine):
        engine.track_start(6)
        engine.try_shutdown(5, REQUEST, TIMEOUT_MS, 0)
        emitted(bus)
        assert engine.try_shutdown(4, IMMEDIATE, TIMEOUT_MS, 0)
        assert bus.effects == []
        assert bus.ordinary == [SHUTDOWN]

    def test_one_vote_at_a_time(self, engine):
        engine.track_start(6)
        engine.try_shutdown(5, REQUEST, TIMEOUT_MS, 0)
        with pytest.raises(CsExist):
            engine.try_shutdown(4, REQUEST, TIMEOUT_MS, 0)

    def test_silence_is_a_no(self, bus, engine):
        engine.track_start(6)
        engine.track_start(7)
        engine.try_shutdown(5, REQUEST, TIMEOUT_MS, 100)
        deadline_ns = 100 + TIMEOUT_MS * NS_PER_MS
        assert engine.next_deadline() == deadline_ns
        engine.reply_to_shutdown(6, yes=True)
        emitted(bus)
        engine.advance(deadline_ns - 1)
        assert bus.effects == []
        engine.advance(deadline_ns)
        assert emitted(bus) == [ShutdownAnswered(5, CsBusy.code), ShutdownDecided(1, 1, REQUEST)]
        assert engine.next_deadline() is None

    def test_silence_does_not_stop_regardless(self, bus, engine):
        engine.track_start(6)
        engine.try_shutdown(5, REGARDLESS, TIMEOUT_MS, 0)
        engine.advance(TIMEOUT_MS * NS_PER_MS)
        assert bus.ordinary == [SHUTDOWN]

    def test_the_time_out_is_told_to_trackers_that_once_asked_themselves(self, bus, engine):
        engine.track_start(6)
        engine.track_start(7)
        engine.try_shutdown(6, REQUEST, TIMEOUT_MS, 0)
        engine.reply_to_shutdown(7, yes=False)
        engine.try_shutdown(5, REQUEST, TIMEOUT_MS, 0)
        emitted(bus)
        engine.advance(TIMEOUT_MS * NS_PER_MS)
        assert emitted(bus)[2:] == [Asked(6, REQUEST, CsTimeout.code)]

    def test_a_newcomer_is_asked(self, bus, engine):
        engine.track_start(6)
        engine.try_shutdown(5, REQUEST, TIMEOUT_MS, 0)
        emitted(bus)
        engine.track_start(7)
        engine.track_start(7)
        assert emitted(bus) == [Asked(7, REQUEST, OK)]
        engine.reply_to_shutdown(6, yes=True)
        assert bus.effects == []
        engine.reply_to_shutdown(7, yes=True)
        assert emitted(bus)[0] == ShutdownAnswered(5, OK)

    @pytest.mark.parametrize("go", ["track_stop", "disconnect"])
    def test_who_goes_agrees(self, bus, engine, go):
        engine.track_start(6)
        engine.try_shutdown(5, REQUEST, TIMEOUT_MS, 0)
        emitted(bus)
        getattr(engine, go)(6)
        assert emitted(bus) == [ShutdownAnswered(5, OK), ShutdownDecided(1, 0, REQUEST)]

    def test_without_who_wanted_it_the_vote_is_off(self, bus, engine):
        engine.track_start(6)
        engine.try_shutdown(5, REQUEST, TIMEOUT_MS, 0)
        engine.disconnect(5)
        emitted(bus)
        assert engine.next_deadline() is None
        with pytest.raises(CsAccess):
            engine.reply_to_shutdown(6, yes=True)
        assert not engine.try_shutdown(4, REQUEST, TIMEOUT_MS, 0)

    def test_a_vote_counts_once_and_only_of_who_was_asked(self, bus, engine):
        engine.track_start(6)
        engine.track_start(7)
        engine.try_shutdown(5, REQUEST, TIMEOUT_MS, 0)
        emitted(bus)
        for conn in (6, 6, 5, 99):
            engine.reply_to_shutdown(conn, yes=True)
        assert bus.effects == []
        engine.reply_to_shutdown(6, yes=False)
        engine.reply_to_shutdown(7, yes=True)
        assert emitted(bus) == [ShutdownAnswered(5, CsBusy.code), ShutdownDecided(1, 1, REQUEST)]

    def test_a_full_queue_refuses_what_is_granted_at_once(self, bus, engine):
        bus.full = True
        for flags in (REQUEST, IMMEDIATE):
            with pytest.raises(CsTryAgain):
                engine.try_shutdown(5, flags, TIMEOUT_MS, 0)
        bus.full = False
        assert engine.try_shutdown(5, REQUEST, TIMEOUT_MS, 0)

    def test_a_full_queue_delays_what_was_voted(self, bus, engine):
        engine.track_start(6)
        engine.try_shutdown(5, REQUEST, TIMEOUT_MS, 0)
        bus.full = True
        engine.reply_to_shutdown(6, yes=True)
        assert bus.effects[1] == ShutdownAnswered(5, OK)
        assert engine.next_deadline() == ANNOUNCE_RETRY_NS
        engine.advance(ANNOUNCE_RETRY_NS)
        assert engine.next_deadline() == 2 * ANNOUNCE_RETRY_NS
        bus.full = False
        engine.advance(2 * ANNOUNCE_RETRY_NS)
        assert bus.ordinary == [SHUTDOWN]
        assert engine.next_deadline() is None


class TestReload:
    def test_the_client_is_answered_when_our_own_reload_is_done(self, bus, engine):
        engine.reload_config(5)
        ((group, message),) = bus.ordinary
        assert (group, message) == (b"a", encode_reload(ReloadConfig(1, 5)))
        engine.on_reload_config(1, 9, message, False)
        assert emitted(bus) == [ReloadRequested(1)]
        engine.reload_done(7)
        assert emitted(bus) == [ReloadAnswered(5, 7)]

    def test_another_nodes_client_is_not_ours(self, bus, engine):
        engine.reload_config(5)
        engine.on_reload_config(2, 8, encode_reload(ReloadConfig(2, 5)), False)
        engine.on_reload_config(1, 9, encode_reload(ReloadConfig(1, 5)), False)
        assert emitted(bus) == [ReloadRequested(2), ReloadRequested(1)]
        engine.reload_done(OK)
        assert emitted(bus) == []
        engine.reload_done(OK)
        assert emitted(bus) == [ReloadAnswered(5, OK)]
        assert engine.reload_requests == 2

    def test_a_client_that_went_or_never_was_gets_no_answer(self, bus, engine):
        engine.reload_config(5)
        engine.disconnect(5)
        for conn in (5, 66):
            engine.on_reload_config(1, 9, encode_reload(ReloadConfig(1, conn)), False)
            emitted(bus)
            engine.reload_done(OK)
            assert emitted(bus) == []

    def test_a_flood_is_bounded(self, bus, engine):
        for _ in range(RELOADS_MAX + 5):
            engine.on_reload_config(2, 8, encode_reload(ReloadConfig(2, 1 << 60)), False)
        assert len(emitted(bus)) == RELOADS_MAX
        engine.reload_config(5)
        engine.on_reload_config(1, 8, encode_reload(ReloadConfig(1, 5)), False)
        assert emitted(bus) == [ReloadAnswered(5, CsBusy.code)]

    def test_logs_are_reopened_here_alone(self, bus, engine):
        engine.reopen_log_files(5)
        assert bus.effects == [ReopenLogs(5)]
        assert bus.ordinary == []
