"""Nodes are parted into the largest sets of which all hear each other."""

from itertools import combinations
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corosync_tw.totem.cliques import cliques, largest_clique, part_of

patiently = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
graphs = st.integers(1, 8).flatmap(
    lambda count: st.tuples(
        st.just(frozenset(range(1, count + 1))),
        st.frozensets(
            st.tuples(st.integers(1, count), st.integers(1, count)).filter(lambda p: p[0] < p[1])
        ),
    )
)


def by_trying_all(nodes, bad):
    for size in range(len(nodes), 0, -1):
        for some in combinations(sorted(nodes), size):
            if not any(a in some and b in some for a, b in bad):
                return some
    return ()


@patiently
@given(graphs)
def test_the_largest_set_with_the_lowest_nodeids(graph):
    nodes, bad = graph
    assert largest_clique(nodes, bad) == by_trying_all(nodes, bad)


@patiently
@given(graphs)
def test_every_node_is_in_one_set_and_everybody_finds_the_same(graph):
    nodes, bad = graph
    parts = cliques(nodes, bad)
    assert sorted(nodeid for part in parts for nodeid in part) == sorted(nodes)
    for part in parts:
        for nodeid in part:
            assert part_of(nodeid, nodes, bad) == part


def test_a_large_torn_cluster_ends_soon_and_without_bad_links():
    rng = Random(1)
    nodes = range(1, 385)
    bad = {(a, b) for a, b in combinations(nodes, 2) if rng.random() < 0.02}
    (first, *_) = cliques(nodes, bad)
    assert not any(a in first and b in first for a, b in bad)
