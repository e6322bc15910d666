from twisted.internet.task import Clock

from corosync_tw.timers.pause import PauseDetector

TOKEN_TIMEOUT_NS = 3_000_000_000


class Bed:
    def __init__(self):
        self.clock = Clock()
        self.lag_ns = 0
        self.pauses = []
        self.token_timeout_ns = TOKEN_TIMEOUT_NS
        self.detector = PauseDetector(
            self.clock,
            self.now_ns,
            lambda: self.token_timeout_ns,
            lambda *args: self.pauses.append(args),
        )

    def now_ns(self):
        return round(self.clock.seconds() * 1e9) + self.lag_ns


def test_a_loop_that_runs_is_not_reported():
    bed = Bed()
    bed.detector.start()
    bed.clock.pump([1.0] * 30)
    assert bed.pauses == []
    assert bed.detector.longest_gap_ns == 1_000_000_000


def test_a_gap_above_four_fifths_of_the_token_timeout_is_reported_once():
    bed = Bed()
    bed.detector.start()
    bed.clock.advance(1.0)
    bed.lag_ns = 1_400_000_001
    bed.clock.advance(1.0)
    bed.clock.pump([1.0] * 5)
    assert bed.pauses == [(2_400_000_001, 2_400_000_000)]
    assert bed.detector.pauses == 1


def test_a_gap_at_the_threshold_is_not_reported():
    bed = Bed()
    bed.detector.start()
    bed.lag_ns = 1_400_000_000
    bed.clock.advance(1.0)
    assert bed.pauses == []


def test_stop_leaves_no_timer_behind():
    bed = Bed()
    bed.detector.start()
    bed.detector.stop()
    bed.detector.stop()
    assert bed.clock.getDelayedCalls() == []


def test_another_token_timeout_counts_from_the_next_check():
    bed = Bed()
    bed.detector.start()
    bed.token_timeout_ns = 300_000_000
    bed.clock.advance(1)
    bed.clock.advance(0.2)
    assert not bed.pauses
    bed.lag_ns = 200_000_000
    bed.clock.advance(0.1)
    assert bed.pauses == [(300_000_000, 240_000_000)]
