"""
One global order (EVS 1.1, 1.2, 2.3, 2.4, 6.1, 6.2; Totem95 section 4.2: acyclic for cycles of any
length).

A graph with one vertex for each message and each configuration, and an edge from each event of a
node to its next: an
order that suits everybody exists exactly if the graph has no cycle. One pass of Tarjan's algorithm
finds one.
"""

from collections.abc import Iterator
from typing import Any

from corosync_tw.corotypes import ConfChangeType
from corosync_tw.sim.history import CONF, SEND, Conf, RunRecord, Violation

Vertex = tuple[Any, ...]


def check_order(run: RunRecord) -> Iterator[Violation]:
    """Yield a violation if the nodes' orders contradict each other."""
    edges, names, times = _graph(run)
    component = find_cycle(edges)
    if component:
        members = [names[vertex] for vertex in component]
        shown = ", ".join(str(name) for name in members[:8])
        time_ns = min(times[vertex] for vertex in component)
        text = f"{len(members)} events precede each other: {shown}"
        yield Violation("global order (6.1)", time_ns, (), text)


def _graph(run: RunRecord) -> tuple[list[list[int]], list[Vertex], list[int]]:
    number: dict[Vertex, int] = {}
    names: list[Vertex] = []
    times: list[int] = []
    edges: list[set[int]] = []

    def vertex(name: Vertex, time_ns: int) -> int:
        found = number.get(name)
        if found is None:
            found = number[name] = len(names)
            names.append(name)
            times.append(time_ns)
            edges.append(set())
        return found

    for history in run.histories:
        last = -1
        for kind, time_ns, what in history.events:
            if kind == CONF:
                assert isinstance(what, Conf)
                name: Vertex = (what.kind.name, what.ring_id)
                if what.kind is ConfChangeType.TRANSITIONAL:
                    name = (*name, what.old_ring_id, what.members)
            else:
                name = what
            here = vertex(name, time_ns)
            if last >= 0 and last != here:
                edges[last].add(here)
            if kind != SEND:
                last = here
    return [sorted(targets) for targets in edges], names, times


def find_cycle(edges: list[list[int]]) -> list[int]:
    """Return one strongly connected component of more than one vertex, or nothing."""
    unseen = -1
    index = [unseen] * len(edges)
    low = [0] * len(edges)
    on_stack = [False] * len(edges)
    stack: list[int] = []
    count = 0
    for root in range(len(edges)):
        if index[root] != unseen:
            continue
        work: list[tuple[int, Iterator[int]]] = [(root, iter(edges[root]))]
        index[root] = low[root] = count
        count += 1
        stack.append(root)
        on_stack[root] = True
        while work:
            here, targets = work[-1]
            for target in targets:
                if index[target] == unseen:
                    index[target] = low[target] = count
                    count += 1
                    stack.append(target)
                    on_stack[target] = True
                    work.append((target, iter(edges[target])))
                    break
                if on_stack[target]:
                    low[here] = min(low[here], index[target])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[here])
                if low[here] == index[here]:
                    component: list[int] = []
                    while on_stack[here]:
                        component.append(stack.pop())
                        on_stack[component[-1]] = False
                    component.reverse()
                    if len(component) > 1:
                        return component
    return []
