"""
A bed for counters that come to their boundaries: daemons of ours that begin just below one, and a
watch over what is on the wire.
"""

import json
import os
import signal
import struct
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import ClassVar, NamedTuple

from tests.interop import order
from tests.interop.netbed import NetBed, Process, wait_until
from tests.interop.nodes import Client, Cluster, Node, OurNode, StockNode

ROOT = Path(__file__).resolve().parent.parent.parent
NODES = [1, 2, 3]
TOKEN_MS = 5000
WITHIN_S = 60.0
CROSSING_WITHIN_S = 15.0
RATE = 250
LOSS_PERCENT = 10
# Counters begin so far below a boundary: the first frames of a ring, or those that follow soon.
BELOW = 6
SOON_BELOW = 30
# A value is near a boundary when it is not farther away than that.
NEAR = 1 << 14
BOUNDARIES = {"2^15": 1 << 15, "2^16": 1 << 16, "2^31": 1 << 31, "2^32": 1 << 32}
# How many values a counter has before it begins anew.
MODULI = {
    "message": 1 << 32,
    "recovered": 1 << 32,
    "token": 1 << 32,
    "ring": 1 << 64,
    "knet": (1 << 16) - 1,
    "sealed": 1 << 64,
}
_RING_SEQ = struct.Struct("=Q")


class Cell(NamedTuple):
    """
    One crossing that was tried.

    :ivar seen: distances from the boundary on both sides, empty when it did not happen.
    """

    counter: str
    boundary: str
    during: str
    nodes: str
    seen: str


class Watch:
    """What passes the switches of a bed."""

    def __init__(self, bed: NetBed, workdir: Path) -> None:
        self.out = workdir / "wire.txt"
        argv = [sys.executable, "-m", "tests.interop.wire_watch"]
        self._process = Process(bed.switch, argv, self.out, workdir, {"PYTHONPATH": _python_path()})
        wait_until("a watch", lambda: self.out.exists() and "watching" in self.out.read_text(), 60)

    def close(self) -> None:
        self._process.close_stdin()
        self._process.wait(30)

    def values(self, counter: str, since_s: float) -> Iterator[tuple[str, int]]:
        """Yield whose counter and a value, in the order they were seen."""
        for line in self.out.read_text().splitlines()[1:]:
            words = line.split()
            if len(words) == 5 and words[1] == counter and float(words[0]) >= since_s:
                yield words[2], int(words[3])
                yield words[2], int(words[4])

    def crossing(self, counter: str, boundary: int, since_s: float) -> str:
        """Tell how far below and above a boundary a counter was seen; nothing when it was not."""
        modulus = MODULI[counter]
        below: dict[str, int] = {}
        for whose, value in self.values(counter, since_s):
            if 0 < (boundary - value) % modulus <= NEAR:
                below[whose] = (boundary - value) % modulus
            elif whose in below and (value - boundary) % modulus <= NEAR:
                return f"-{below[whose]} +{(value - boundary) % modulus}"
        return ""


def _python_path() -> str:
    return os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))


class BoundaryNode(OurNode):
    """
    A daemon of ours whose counters begin elsewhere.

    :ivar starts: counter to what it begins with, see ``boundary_node``.
    """

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self.env = {"PYTHONPATH": _python_path()}
        self.starts: dict[str, int] = {}
        self.told = self.workdir / "told.json"

    def argv(self) -> list[str]:
        starts = [f"--{counter}={value}" for counter, value in self.starts.items()]
        runner = [sys.executable, "-m", "tests.interop.boundary_node", *starts]
        return [*runner, f"--told={self.told}", "--", *super().argv()[1:]]

    def tell(self, **counters: int) -> dict[str, list[int]]:
        """Have counters go on from elsewhere; give the counts of rings."""
        counts = self.told.with_suffix(".counts")
        counts.unlink(missing_ok=True)
        self.told.write_text(json.dumps(counters))
        self.running.signal(signal.SIGUSR1)
        wait_until("counts", counts.exists, WITHIN_S)
        found: dict[str, list[int]] = json.loads(counts.read_text())
        return found


class BoundaryCluster(Cluster):
    """
    Three nodes, the third of which comes and goes; the first two compare what they deliver.

    :ivar ours: nodes that are ours.
    """

    KINDS: ClassVar[Mapping[str, type[Node]]] = {"stock": StockNode, "ours": BoundaryNode}

    def ours(self) -> list[BoundaryNode]:
        return [node for node in self.nodes.values() if isinstance(node, BoundaryNode)]

    def start_at(self, nodeids: Iterable[int], **starts: int) -> None:
        """Start nodes whose counters begin there."""
        for nodeid in nodeids:
            node = self.nodes[nodeid]
            if isinstance(node, BoundaryNode):
                node.starts = starts
            node.start()

    def store_ring(self, nodeid: int, ring_seq: int) -> None:
        """Have a node that is down remember a ring of this number."""
        node = self.nodes[nodeid]
        (node.state_dir / f"ringid_{nodeid}").write_bytes(_RING_SEQ.pack(ring_seq))

    def load(self) -> list[Client]:
        return [self.client(n, f"n{n}-load", count=10**7, rate=RATE, members=2) for n in NODES[:2]]

    def kinds(self) -> str:
        """Name what is in the ring."""
        return "ours" if len(self.ours()) == len(self.nodes) else "ours and stock"

    def check_same(self, clients: list[Client]) -> None:
        """See that the first two nodes, which stayed together, delivered alike."""
        logs = []
        for client in clients:
            log = order.ClientLog.parse(client.label, client.lines())
            order.check_sound(log)
            logs.append(log)
        first, second = (_since_both(log) for log in logs)
        length = min(len(first), len(second))
        assert length > 0, self.tail_logs()
        assert first[:length] == second[:length], f"another order\n{self.tail_logs()}"
        parted = [event for event in first if not isinstance(event, order.Message)]
        assert not parted, f"nodes that stayed lost each other: {parted}\n{self.tail_logs()}"


def _since_both(log: order.ClientLog) -> list[order.Event]:
    """Give what was delivered since both clients were there for the first time."""
    for at, event in enumerate(log.events):
        if not isinstance(event, order.Message) and "," in event[1]:
            return log.events[at + 1 :]
    return []


class Run:
    """
    One life of a cluster.

    :ivar cells: what was tried so far.
    """

    def __init__(self, bed: NetBed, workdir: Path, stock: list[int], **conf: object) -> None:
        workdir.mkdir(parents=True)
        self.bed = bed
        ours = [nodeid for nodeid in NODES if nodeid not in stock]
        self.cluster = BoundaryCluster(
            bed.machines, stock, ours, workdir, **{"token_ms": TOKEN_MS, **conf}
        )
        self.watch = Watch(bed, workdir)
        self.cells: list[Cell] = []

    @contextmanager
    def living(self) -> Iterator[None]:
        """Take everything down at the end."""
        try:
            with self.cluster:
                yield
        finally:
            self.lose(0)
            self.watch.close()

    def lose(self, percent: int) -> None:
        for machine in self.bed.machines.values():
            machine.set_loss(percent)

    def quorate(self, *nodeids: int) -> None:
        self.cluster.wait_quorate(nodeids, WITHIN_S)

    def seek(
        self,
        since_s: float,
        during: str,
        boundary: str,
        counters: Mapping[str, int],
        again: bool = False,
    ) -> dict[str, int]:
        """
        Wait for crossings and note which were seen.

        :param counters: each with the value to be crossed.
        :param again: what is not seen is tried once more, and not noted.
        :return: what was not seen.
        """
        waiting = dict(counters)
        seen = dict.fromkeys(counters, "")

        def found() -> bool:
            for counter, value in list(waiting.items()):
                seen[counter] = self.watch.crossing(counter, value, since_s)
                if seen[counter]:
                    del waiting[counter]
            return not waiting

        with suppress(AssertionError):
            wait_until("crossings", found, CROSSING_WITHIN_S, 0.2)
        for counter, values in seen.items():
            if values or not again:
                self.note(counter, boundary, during, values)
        return waiting

    def note(self, counter: str, boundary: str, during: str, seen: str) -> None:
        self.cells.append(Cell(counter, boundary, during, self.cluster.kinds(), seen))

    def ring_seq(self) -> int:
        """Give the number of the last ring whose token was seen."""
        return [value for _, value in self.watch.values("ring", 0.0)][-1]


def table(cells: Iterable[Cell]) -> str:
    """Lay cells out as a table of reStructuredText."""
    columns = ("loss", "join", "leave", "recovery")
    rows: dict[tuple[str, str, str], dict[str, str]] = {}
    for cell in cells:
        counter = "message" if cell.counter == "recovered" else cell.counter
        row = rows.setdefault((counter, cell.boundary, cell.nodes), {})
        row[cell.during] = row.get(cell.during) or cell.seen or "not seen"
    lines = [("counter", "boundary", "nodes", *columns)]
    for key, row in rows.items():
        lines.append((*key, *(row.get(name, "") for name in columns)))
    widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
    rule = "  ".join("=" * width for width in widths)
    text = [
        "  ".join(word.ljust(w) for word, w in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    return "\n".join([rule, text[0], rule, *text[1:], rule])
