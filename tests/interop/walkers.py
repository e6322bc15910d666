"""
The C walkers: one program a library of Corosync, which calls every function of it, run on a ring.

    python -m tests.interop.walkers [--kind stock|ours|sockets|mixed] [LIBRARY...]

prints what each says beside node 1 of a ring of three: stock nodes, ours, ours that speak to them
over sockets instead of shared memory, or node 1 ours and two stock. A walker prints a deterministic
line a step and ends with 0 when it comes to its end.
"""

import argparse
import difflib
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.interop.netbed import NetBed
from tests.interop.nodes import CLIENTS, Cluster, built

# cfg ends daemons: it comes last.
LIBRARIES = ("cmap", "cpg", "quorum", "votequorum", "sam", "cfg")
KINDS: dict[str, tuple[list[int], list[int]]] = {
    "stock": ([1, 2, 3], []),
    "ours": ([], [1, 2, 3]),
    "sockets": ([], [1, 2, 3]),
    "mixed": ([2, 3], [1]),
}
WALKER_NODE = 1
TOKEN_MS = 1000
TIME_LIMIT_S = 60.0


def walk(cluster: Cluster, library: str) -> list[str]:
    """
    Run one walker beside node 1 on a whole ring and give its lines, the exit status last.

    Nodes that an earlier walker ended are started again first.
    """
    for node in cluster.nodes.values():
        if node.running.exit_status is not None:
            node.start()
    cluster.wait_quorate()
    node = cluster.nodes[WALKER_NODE]
    command = node.machine.enter([str(built(CLIENTS / f"walk_{library}.c"))])
    try:
        outcome = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="backslashreplace",
            timeout=TIME_LIMIT_S,
            check=False,
            cwd=node.workdir,
        )
    except subprocess.TimeoutExpired as late:
        said = (late.stdout or b"").decode(errors="backslashreplace")
        return [*said.splitlines(), f"did not end within {TIME_LIMIT_S:.0f} s"]
    return [*outcome.stdout.splitlines(), f"exit status {outcome.returncode}"]


def walk_all(kind: str, libraries: Sequence[str], workdir: Path) -> dict[str, list[str]]:
    """Run walkers on a fresh ring of a kind."""
    stock, ours = KINDS[kind]
    conf = {"token_ms": TOKEN_MS, "ipc_type": "socket" if kind == "sockets" else "shm"}
    with (
        NetBed([*stock, *ours]) as bed,
        Cluster(bed.machines, stock, ours, workdir, **conf) as cluster,
    ):
        cluster.start()
        return {library: walk(cluster, library) for library in libraries}


def difference(stock: Sequence[str], other: Sequence[str], name: str) -> str:
    """Show where two walks differ; empty when they are the same."""
    return "\n".join(difflib.unified_diff(stock, other, "stock", name, lineterm="", n=2))


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Run C walkers on a ring and print what they say.")
    parser.add_argument("--kind", choices=KINDS, default="stock")
    parser.add_argument("libraries", nargs="*", metavar="LIBRARY", help=" ".join(LIBRARIES))
    options = parser.parse_args(argv)
    libraries = options.libraries or LIBRARIES
    with tempfile.TemporaryDirectory(prefix="walk-") as workdir:
        for library, lines in walk_all(options.kind, libraries, Path(workdir)).items():
            print(f"--- {library} on {options.kind}", *lines, sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
