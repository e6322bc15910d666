"""The list of all checkers of histories."""

from collections.abc import Callable, Iterator
from typing import Final

from corosync_tw.sim.checkers.atomicity import check_atomicity, check_self_delivery
from corosync_tw.sim.checkers.causality import check_causality
from corosync_tw.sim.checkers.configurations import check_configurations
from corosync_tw.sim.checkers.delivery import check_delivery
from corosync_tw.sim.checkers.order import check_order
from corosync_tw.sim.checkers.safe import check_safe
from corosync_tw.sim.history import RunRecord, Violation

CHECKERS: Final[tuple[Callable[[RunRecord], Iterator[Violation]], ...]] = (
    check_configurations,
    check_delivery,
    check_self_delivery,
    check_atomicity,
    check_causality,
    check_order,
    check_safe,
)


def check_all(run: RunRecord) -> list[Violation]:
    """Collect what every checker finds, earliest first."""
    found = [violation for checker in CHECKERS for violation in checker(run)]
    return sorted(found, key=lambda violation: violation.time_ns)
