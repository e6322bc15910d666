"""Three nodes that write recordings."""

import pytest

from tests.unit.logsys.flight.clusters import Node


@pytest.fixture
def nodes(tmp_path):
    """Make three nodes whose clocks differ by hours; by node id."""
    wrong = {1: (10**12, 10**18), 2: (5 * 10**9, 10**18 - 3 * 10**12), 3: (77, 10**18 + 10**13)}
    made = {nodeid: Node(tmp_path, nodeid, *clocks) for nodeid, clocks in wrong.items()}
    yield made
    for node in made.values():
        node.recorder.close()
