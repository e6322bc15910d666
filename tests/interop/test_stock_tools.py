"""Debian's own tools print beside our node what they print beside a stock one."""

import pytest

from tests.interop import tool_stories
from tests.interop.netbed import NetBed, require
from tests.interop.nodes import Cluster

pytestmark = pytest.mark.interop

STORIES = ("reading", "counting", "setting", "voting", "parting", "following")
LAYOUTS = {
    "ours": ([], [1, 2, 3]),
    "two-stock-one-ours": ([2, 3], [1]),
    "one-stock-two-ours": ([2], [1, 3]),
}


def all_stories(stock, ours, workdir):
    """Tell every story on one ring."""
    require("corosync-quorumtool", "corosync-cpgtool", "corosync-notifyd", "stdbuf")
    with (
        NetBed([*stock, *ours]) as bed,
        Cluster(bed.machines, stock, ours, workdir, token_ms=tool_stories.TOKEN_MS) as cluster,
    ):
        cluster.start()
        texts = {}
        for story in STORIES:
            cluster.wait_quorate()
            texts[story] = getattr(tool_stories, story)(cluster)
        cluster.assert_alive(sorted(cluster.nodes))
        return texts


@pytest.fixture(scope="module")
def stock_texts(tmp_path_factory):
    """The reference."""
    return all_stories([1, 2, 3], [], tmp_path_factory.mktemp("stock"))


@pytest.fixture(scope="module", params=LAYOUTS)
def our_texts(request, tmp_path_factory):
    return all_stories(*LAYOUTS[request.param], tmp_path_factory.mktemp("ours"))


@pytest.mark.parametrize("story", STORIES)
def test_the_tools_print_the_same(stock_texts, our_texts, story):
    told = tool_stories.differences(stock_texts[story], our_texts[story])
    assert not told, told
