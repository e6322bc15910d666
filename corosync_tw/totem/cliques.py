"""
Parting nodes into sets of which all members hear each other, the largest first.

The largest set is what remains when the fewest nodes are taken out so that no bad link has both
ends left. Of sets of one size the one with the lower nodeids wins, so that all nodes that know the
same links come to the same sets.
"""

from collections.abc import Collection, Iterable
from typing import Final

Links = Collection[tuple[int, int]]

# Beyond so many steps the search for the largest set goes on with what seems best: the first of
# them settle every graph in which up to a dozen nodes are to be taken out.
SEARCH_STEPS_MAX: Final = 3000


def cliques(nodes: Iterable[int], bad: Links) -> list[tuple[int, ...]]:
    """
    Part nodes.

    :param bad: links that do not work in both directions, as (lower nodeid, higher nodeid).
    :return: ascending nodeids; the largest set first.
    """
    left = frozenset(nodes)
    parts: list[tuple[int, ...]] = []
    while left:
        largest = largest_clique(left, bad)
        parts.append(largest)
        left -= set(largest)
    return parts


def part_of(nodeid: int, nodes: Iterable[int], bad: Links) -> tuple[int, ...]:
    """Give the set that a node belongs to."""
    everybody = {nodeid, *nodes}
    return next(part for part in cliques(everybody, bad) if nodeid in part)


def largest_clique(nodes: frozenset[int], bad: Links) -> tuple[int, ...]:
    """Find the largest set of nodes without a bad link."""
    links = [link for link in sorted(bad) if link[0] in nodes and link[1] in nodes]
    search = _Search(nodes)
    search.take_out(links, frozenset())
    return tuple(sorted(nodes - search.best))


class _Search:
    """
    Branch and bound over the nodes to be taken out.

    :ivar best: the fewest found that leave no bad link.
    """

    def __init__(self, nodes: frozenset[int]) -> None:
        self.nodes = nodes
        self.best = nodes
        self.steps = 0

    def take_out(self, links: list[tuple[int, int]], out: frozenset[int]) -> None:
        """Take out one end or the other of some link, until none is left."""
        self.steps += 1
        if len(out) > len(self.best):
            return
        if not links:
            if self._is_better(out):
                self.best = out
            return
        busiest = _busiest(links)
        without = [link for link in links if busiest not in link]
        self.take_out(without, out | {busiest})
        if self.steps < SEARCH_STEPS_MAX:
            # Kept after all: then all that it has bad links to must go.
            others = {n for link in links if busiest in link for n in link} - {busiest}
            without = [link for link in links if others.isdisjoint(link)]
            self.take_out(without, out | others)

    def _is_better(self, out: frozenset[int]) -> bool:
        if len(out) != len(self.best):
            return len(out) < len(self.best)
        return sorted(self.nodes - out) < sorted(self.nodes - self.best)


def _busiest(links: list[tuple[int, int]]) -> int:
    """Give the node with most bad links, of several the highest."""
    count: dict[int, int] = {}
    for link in links:
        for nodeid in link:
            count[nodeid] = count.get(nodeid, 0) + 1
    return max(count, key=lambda nodeid: (count[nodeid], nodeid))
