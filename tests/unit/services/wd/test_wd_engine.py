"""The watchdog and the resources it watches."""

import pytest

from corosync_tw.corotypes import NS_PER_MS
from corosync_tw.services.cmap.store import KEY_LEN_MAX, CmapStore
from corosync_tw.services.cmap.values import TypedValue
from corosync_tw.services.log_line import LogLine
from corosync_tw.services.wd.effects import OpenDog, PowerWanted, SetDogTimeout, TickleDog
from corosync_tw.services.wd.engine import RESOURCES_MAX, WdEngine
from tests.unit.services.ordered_bus import FakeBus

SAM = "resources.process.77."
string, u64, u32 = TypedValue.string, TypedValue.u64, TypedValue.u32
SECOND = 1000 * NS_PER_MS


class Watched:
    """An engine, its map and a clock."""

    def __init__(self):
        self.store = CmapStore()
        self.bus = FakeBus()
        self.engine = WdEngine(self.store, self.bus)

    def run_to(self, s):
        """Fire whatever is due until a second."""
        end_ns = int(s * SECOND)
        while (due_ns := self.engine.next_deadline()) is not None and due_ns <= end_ns:
            self.bus.now_ns = due_ns
            self.engine.advance(due_ns)
        self.bus.now_ns = end_ns

    def take(self, kind=object):
        effects, self.bus.effects[:] = self.bus.effects[:], []
        return [effect for effect in effects if isinstance(effect, kind)]

    def texts(self):
        return [line.text for line in self.take(LogLine)]

    def process(self, recovery="quit", state="running", prefix=SAM, updated=0):
        """Write the keys as libsam does: the state last."""
        self.store.set(prefix + "recovery", string(recovery))
        self.store.set(prefix + "poll_period", u64(1000))
        self.store.set(prefix + "last_updated", u64(updated))
        self.store.set(prefix + "state", string(state))

    def beat(self):
        self.store.set(SAM + "last_updated", u64(max(self.bus.now_ns, 1)))


@pytest.fixture
def wd():
    return Watched()


class TestDog:
    def test_nothing_is_configured(self, wd):
        wd.engine.start()
        assert wd.texts() == ["Watchdog not enabled by configuration", "no resources configured."]
        assert wd.store.get("resources.watchdog_timeout") == u32(6)
        wd.run_to(60)
        assert wd.bus.effects == []

    @pytest.mark.parametrize("device", ["", "off"])
    def test_switched_off(self, wd, device):
        wd.store.set("resources.watchdog_device", string(device))
        wd.engine.start()
        assert wd.texts()[0] == "Watchdog disabled by configuration"

    def test_tickled_at_half_the_timeout(self, wd):
        wd.store.set("resources.watchdog_device", string("/dev/dog"))
        wd.store.set("resources.watchdog_timeout", u32(10))
        wd.engine.start()
        assert wd.take(OpenDog) == [OpenDog("/dev/dog", 10)]
        wd.engine.dog_armed(10)
        assert wd.engine.next_deadline() == 5 * SECOND
        wd.run_to(21)
        assert wd.take(TickleDog) == [TickleDog()] * 4

    def test_a_dog_that_could_not_be_opened_is_not_tickled(self, wd):
        wd.store.set("resources.watchdog_device", string("/dev/dog"))
        wd.engine.start()
        wd.run_to(60)
        assert wd.take(TickleDog) == []

    def test_a_dog_of_its_own_mind(self, wd):
        wd.store.set("resources.watchdog_device", string("/dev/dog"))
        wd.engine.start()
        wd.engine.dog_armed(60)
        assert wd.engine.next_deadline() == 30 * SECOND

    @pytest.mark.parametrize("timeout", [u32(1), u32(121)])
    def test_a_timeout_out_of_range_is_not_used(self, wd, timeout):
        wd.store.set("resources.watchdog_timeout", timeout)
        wd.engine.start()
        assert wd.texts()[:2] == [
            "Set watchdog_timeout is out of range (2..120).",
            "use default value 6 seconds.",
        ]
        assert wd.store.get("resources.watchdog_timeout") == u32(6)

    def test_the_timeout_changes_at_run_time(self, wd):
        wd.engine.start()
        wd.store.set("resources.watchdog_timeout", u32(20))
        assert wd.engine.next_deadline() == 10 * SECOND
        wd.engine.dog_armed(20)
        wd.take()
        wd.store.set("resources.watchdog_timeout", u32(30))
        assert wd.take() == [SetDogTimeout(30)]
        wd.engine.dog_armed(30)
        assert wd.engine.next_deadline() == 15 * SECOND

    @pytest.mark.parametrize("value", [u32(0), u32(121), string("long")])
    def test_a_bad_timeout_at_run_time_is_undone(self, wd, value):
        wd.engine.start()
        wd.take()
        wd.store.set("resources.watchdog_timeout", value)
        assert wd.texts() == ["Set watchdog_timeout is out of range (2..120)."]
        assert wd.store.get("resources.watchdog_timeout") == u32(6)


class TestResources:
    def test_a_process_that_beats_is_well(self, wd):
        wd.engine.start()
        wd.process()
        assert wd.texts()[-1] == 'Fsm:77 event "config_changed", state "stopped" --> "running"'
        for tenth in range(200):
            wd.run_to(tenth / 10)
            wd.beat()
        assert wd.engine.well
        assert wd.take() == []

    def test_a_process_that_was_never_heard_of_is_given_time(self, wd):
        wd.process()
        wd.engine.start()
        wd.run_to(60)
        assert wd.engine.well

    def test_a_process_that_falls_silent(self, wd):
        wd.store.set("resources.watchdog_device", string("/dev/dog"))
        wd.engine.start()
        wd.engine.dog_armed(6)
        wd.process()
        wd.run_to(5)
        wd.beat()
        wd.run_to(6)
        assert wd.engine.well
        wd.take()
        wd.run_to(8)
        assert not wd.engine.well
        assert wd.texts() == [
            "last_updated 500 ms too late, period:1000.",
            'quit resource "77" failed!',
            'Fsm:77 event "failure", state "running" --> "failed"',
        ]
        wd.run_to(60)
        assert wd.take() == [LogLine("WD", "alert", "NOT tickling the watchdog!")]

    @pytest.mark.parametrize(
        ("recovery", "well", "power"),
        [
            ("watchdog", False, []),
            ("quit", False, []),
            ("reboot", True, [PowerWanted(off=False)]),
            ("shutdown", True, [PowerWanted(off=True)]),
            ("none", True, []),
        ],
    )
    def test_recoveries(self, wd, recovery, well, power):
        wd.engine.start()
        wd.process(recovery)
        wd.beat()
        wd.store.set(SAM + "state", string("failed"))
        wd.run_to(1.5)
        assert wd.take(PowerWanted) == power
        assert wd.engine.well is well

    def test_a_stopped_process_is_not_watched(self, wd):
        wd.engine.start()
        wd.process()
        wd.beat()
        wd.store.set(SAM + "state", string("stopped"))
        wd.run_to(60)
        assert wd.engine.well
        wd.store.set(SAM + "state", string("running"))
        wd.run_to(70)
        assert not wd.engine.well

    def test_a_failed_resource_is_watched_again(self, wd):
        wd.engine.start()
        wd.process("none")
        wd.store.set(SAM + "state", string("failed"))
        wd.store.set(SAM + "last_updated", u64(1))
        wd.run_to(10)
        wd.take()
        wd.store.set(SAM + "state", string("running"))
        assert wd.texts() == ['Fsm:77 event "config_changed", state "failed" --> "running"']

    @pytest.mark.parametrize("missing", ["recovery", "state"])
    def test_without_all_keys_it_stops(self, wd, missing):
        wd.engine.start()
        wd.process()
        wd.take()
        wd.store.set(SAM + missing, u32(1))
        assert wd.texts() == [
            f"resource 77 missing a {missing} key.",
            'Fsm:77 event "config_changed", state "running" --> "stopped"',
        ]
        wd.run_to(60)
        assert wd.engine.well

    def test_a_process_that_is_gone_is_forgotten(self, wd):
        wd.engine.start()
        wd.process()
        wd.beat()
        wd.take()
        wd.store.delete(SAM + "state")
        assert wd.texts() == ['resource "77" deleted from cmap!']
        wd.store.set(SAM + "recovery", string("watchdog"))
        wd.run_to(60)
        assert wd.engine.well
        wd.process()
        wd.run_to(120)
        assert wd.engine.well

    def test_a_longer_period_counts_at_once(self, wd):
        wd.engine.start()
        wd.process()
        wd.store.set(SAM + "poll_period", u64(20_000))
        wd.beat()
        wd.run_to(20)
        assert wd.engine.well
        wd.run_to(61)
        assert not wd.engine.well

    def test_an_unusable_period_is_not_used(self, wd):
        wd.engine.start()
        wd.process()
        wd.take()
        wd.store.set(SAM + "poll_period", u64(1))
        assert wd.texts() == ["Could NOT use poll_period:1 ms for resource 77"]

    def test_what_was_there_before_is_watched(self, wd):
        wd.process(prefix="resources.system.memory_used.")
        wd.store.set("resources.system.load_15min.state", string("stopped"))
        wd.store.set("resources.other", string("x"))
        wd.engine.start()
        assert wd.texts() == [
            "Watchdog not enabled by configuration",
            "resource load_15min missing a recovery key.",
            'Fsm:memory_used event "config_changed", state "stopped" --> "running"',
        ]

    def test_processes_without_end(self, wd):
        wd.engine.start()
        for pid in range(RESOURCES_MAX + 10):
            wd.store.set(f"resources.process.{pid}.state", string("running"))
        assert len(wd.engine._resources) == RESOURCES_MAX
        assert (
            wd.texts().count(f"resource {RESOURCES_MAX} is not watched: there are too many.") == 1
        )

    def test_the_longest_key_there_is(self, wd):
        wd.engine.start()
        wd.take()
        name = "n" * (KEY_LEN_MAX - len("resources.process..state"))
        wd.store.set(f"resources.process.{name}.state", string("running"))
        assert wd.texts() == [f"resource {name} missing a recovery key."]
