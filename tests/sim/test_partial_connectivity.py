"""Rings with links that work one way only, or only between some nodes."""

from random import Random

import pytest

from corosync_tw.corotypes import NS_PER_S
from corosync_tw.sim.options import Options
from corosync_tw.sim.partial import STORIES, PartialCluster, draw_cuts

WARM_UP_NS = 5 * NS_PER_S
RANDOM_GRAPHS = 16
GRAPHS_A_TEST = 4


def run(seed, nodes, cuts, **changes):
    options = Options(seed, nodes, WARM_UP_NS)
    options.workload_gap_ns = NS_PER_S // 5
    for name, value in changes.items():
        setattr(options, name, value)
    cluster = PartialCluster(options, cuts)
    result = cluster.run()
    assert result.violation is None, f"seed {seed}, {nodes} nodes, {cuts}: {result.violation}"
    return cluster


@pytest.mark.parametrize("nodes", [3, 5])
@pytest.mark.parametrize("story", STORIES)
def test_story(story, nodes):
    run(nodes, nodes, STORIES[story](nodes))


@pytest.mark.parametrize("story", ["the first is mute", "the ends are apart"])
def test_story_of_the_whole_stack(story):
    run(2, 4, STORIES[story](4), full_stack=True)


@pytest.mark.parametrize("first", range(0, RANDOM_GRAPHS, GRAPHS_A_TEST))
def test_random_graphs(first):
    for seed in range(first, first + GRAPHS_A_TEST):
        rng = Random(seed)
        nodes = rng.choice((3, 4, 5, 6, 7))
        run(seed, nodes, draw_cuts(rng, nodes))


def test_whole_networks_have_no_bad_link():
    cluster = run(4, 4, [])
    for node in cluster.nodes:
        assert node.host.srp.bad_links == frozenset()
    assert not [entry for entry in cluster.recorder.timeline if entry[3][:1] in ((17,), (19,))]
