"""Counters of real daemons across a boundary; ``tests.soak.boundary_matrix`` runs all of them."""

import pytest

from tests.interop.boundary_bed import NODES
from tests.interop.boundary_stories import of_rings
from tests.interop.netbed import NetBed, require

pytestmark = pytest.mark.interop


def test_messages_tokens_and_rings_across_the_last_number(tmp_path):
    require("corosync-quorumtool", "nft")
    with NetBed(NODES) as bed:
        cells = of_rings(bed, tmp_path / "run", "2^32", [], messages=True, tokens=True)
    assert len(cells) == 9
    assert all(cell.seen for cell in cells), cells
