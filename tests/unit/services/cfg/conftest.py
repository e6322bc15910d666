"""An engine of one node of three, on a bus that keeps what it says."""

import pytest

from corosync_tw.services.cfg.engine import CfgEngine
from tests.unit.services.ordered_bus import FakeBus


@pytest.fixture
def bus():
    return FakeBus()


@pytest.fixture
def engine(bus):
    engine = CfgEngine(1, bus)
    engine.configuration_change((1, 2, 3))
    return engine
