"""Links that work one way only, or only between some nodes, on real sockets."""

import pytest

from tests.interop.connectivity_stories import (
    NODES,
    QUIET_FOR_S,
    SOON,
    TOKEN_MS,
    run_story,
    send_on_all,
)
from tests.interop.netbed import NetBed, require
from tests.interop.nodes import Cluster

pytestmark = pytest.mark.interop

TOLD = {
    "udpu": ("3 does not hear 2", "a chain"),
    "udp": ("the last does not hear the first",),
}


@pytest.fixture
def bed():
    require("corosync-quorumtool", "corosync-cmapctl", "nft")
    with NetBed(NODES) as bed:
        yield bed


@pytest.mark.parametrize("transport", TOLD)
def test_the_largest_set_stays_and_the_others_come_back(bed, tmp_path, transport):
    conf = {"transport": transport, "token_ms": TOKEN_MS, "totem_extra": SOON}
    with Cluster(bed.machines, [], NODES, tmp_path, **conf) as cluster:
        cluster.start()
        cluster.wait_quorate()
        send_on_all(cluster)
        for name in TOLD[transport]:
            print(run_story(cluster, bed, name, watched=NODES, quiet_s=QUIET_FOR_S))
