"""
A node that is configured otherwise than the rest: it stays outside, and the log says why, once.
"""

import pytest

from tests.interop.link_stories import connected
from tests.interop.netbed import NetBed, wait_until
from tests.interop.nodes import Cluster
from tests.interop.test_knet_ring import SEALED, SHORT_PINGS, TOKEN_MS

pytestmark = pytest.mark.interop

# One port for both links, so that what is sent to the wrong one arrives.
ONE_PORT = SHORT_PINGS.replace("linknumber: 1\n", "linknumber: 1\n        mcastport: 5405\n")
SAID_WITHIN_S = 20.0
RING, STRANGER = [1, 2], 3


def swapped(text):
    """Have the links of all nodes in another order."""
    return (
        text.replace("ring0_addr", "other_addr")
        .replace("ring1_addr", "ring0_addr")
        .replace("other_addr", "ring1_addr")
    )


def with_key(text):
    return text.replace(SEALED, SEALED.replace("0123", "3210"))


def in_clear(text):
    return text.replace(SEALED, "")


def as_node_2(text):
    """Give node 2's id to the stranger."""
    swap = text.replace("nodeid: 2\n", "nodeid: X\n").replace("nodeid: 3\n", "nodeid: 2\n")
    return swap.replace("nodeid: X\n", "nodeid: 3\n")


CASES = {
    "swapped links": ("", swapped, "Somebody has its ringX_addr in another order"),
    "another key": (SEALED, with_key, "Unable to decrypt packet from 10.77."),
    "in clear": (SEALED, in_clear, "Unable to decrypt packet from 10.77."),
    "encrypts alone": ("", lambda text: text.replace(ONE_PORT, SEALED + ONE_PORT), "one that encr"),
    "another nodeid": ("", as_node_2, "Packet rejected from 10.77."),
}


@pytest.mark.parametrize("case", CASES)
def test_a_stranger_is_named_once_and_changes_nothing(case, tmp_path):
    crypto, change, words = CASES[case]
    conf = {"transport": "knet", "token_ms": TOKEN_MS, "totem_extra": crypto + ONE_PORT}
    with (
        NetBed([*RING, STRANGER], networks=2) as bed,
        Cluster(bed.machines, [2, STRANGER], [1], tmp_path, **conf) as cluster,
    ):
        ours, stranger = cluster.nodes[1], cluster.nodes[STRANGER]
        for nodeid in RING:
            cluster.nodes[nodeid].start()
        cluster.wait_quorate(RING)
        formed = ours.log_text().count("A new membership")
        stranger.conf.write_text(change(stranger.conf.read_text()))
        stranger.start()
        wait_until(f"the log names {case}", lambda: words in ours.log_text(), SAID_WITHIN_S)
        # As long again as it took the ring to form, with packets of the stranger all the time.
        wait_until("stock says more", lambda: len(stranger.log_text().splitlines()) > 10, 20)
        assert STRANGER not in connected(ours, 0) | connected(ours, 1)
        assert ours.quorate_members() == RING
        assert ours.log_text().count("A new membership") == formed
        warnings = [line for line in ours.log_text().splitlines() if words in line]
        assert len(warnings) == 1, "\n".join(warnings)
        cluster.assert_alive([*RING, STRANGER])
