"""What the log says of knet's links, in libknet's words."""

import pytest

from corosync_tw.logsys.knet import describe_knet
from corosync_tw.logsys.levels import Level
from corosync_tw.totem.links import LinkEvent, LinkEventKind

# Lines of a stock node of three with two links, as they were printed.
SAID = [
    (LinkEvent(LinkEventKind.HOST_UP, 0, 2, ()), [
        "KNET INFO rx: host: 2 link: 0 is up",
        "KNET INFO link: Resetting MTU for link 0 because host 2 joined",
    ]),
    (LinkEvent(LinkEventKind.HOST_DOWN, 0, 3, ()), ["KNET INFO link: host: 3 link: 0 is down"]),
    (LinkEvent(LinkEventKind.BEST_LINK, 1, 3, (0, 1, 1)), [
        "KNET INFO host: host: 3 (passive) best link: 1 (pri: 1)",
    ]),
    (LinkEvent(LinkEventKind.BEST_LINK, 0, 3, (0, 1, 0)), [
        "KNET INFO host: host: 3 (passive) best link: 0 (pri: 1)",
        "KNET WARNING host: host: 3 has no active links",
    ]),
    (LinkEvent(LinkEventKind.BEST_LINK, 0, 3, (1, 1, 2)), [
        "KNET INFO host: host: 3 has 2 active links",
    ]),
    (LinkEvent(LinkEventKind.HOST_REACHABLE, 0, 3, (1,)), [
        "TOTEM DEBUG Knet host change callback. nodeid: 3 reachable: 1",
    ]),
    (LinkEvent(LinkEventKind.HOST_UNREACHABLE, 0, 3, ()), [
        "TOTEM DEBUG Knet host change callback. nodeid: 3 reachable: 0",
    ]),
    (LinkEvent(LinkEventKind.MTU_CHANGED, 1, 2, (1446, 522)), [
        "KNET INFO pmtud: PMTUD link change for host: 2 link: 1 from 522 to 1446",
    ]),
    (LinkEvent(LinkEventKind.MTU_CHANGED, 0, 0, (1446, 482)), [
        "KNET INFO pmtud: Global data MTU changed to: 1446",
        "TOTEM DEBUG Knet pMTU change: 1446",
    ]),
    (LinkEvent(LinkEventKind.FAULTY, 0, 0, ()), []),
]  # fmt: skip


@pytest.mark.parametrize(("event", "lines"), SAID)
def test_the_words_are_stocks(event, lines):
    said = [f"{m.subsys} {Level(m.level).name} {m.text}" for m in describe_knet(event)]
    assert said == lines
