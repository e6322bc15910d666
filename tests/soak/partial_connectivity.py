"""
Every story of links that work one way only, or only between some nodes, on real sockets.

Run it as root: ``python -m tests.soak.partial_connectivity [--transport udp] [--stock 2]``. It
prints a line for each story: the rings, how long they took to settle, and to become one again.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.interop.connectivity_stories import (
    NODES,
    SOON,
    STORIES,
    TOKEN_MS,
    run_story,
    send_on_all,
)
from tests.interop.netbed import NetBed
from tests.interop.nodes import Cluster


def main() -> int:
    """Run the stories; give the number of those that failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--transport", default="udpu", choices=("udp", "udpu"))
    parser.add_argument("--stock", type=int, choices=NODES, help="this node runs stock Corosync")
    parser.add_argument("--story", action="append", choices=STORIES, help="by default all")
    parser.add_argument("--quiet", type=float, default=15.0, help="seconds without a change")
    parser.add_argument("--slow", action="store_true", help="with the default fail_recv_const")
    asked = parser.parse_args()
    stock = [asked.stock] if asked.stock else []
    ours = [nodeid for nodeid in NODES if nodeid not in stock]
    extra = "" if asked.slow else SOON
    conf = {"transport": asked.transport, "token_ms": TOKEN_MS, "totem_extra": extra}
    failed = 0
    for name in asked.story or STORIES:
        with (
            tempfile.TemporaryDirectory() as directory,
            NetBed(NODES) as bed,
            Cluster(bed.machines, stock, ours, Path(directory), **conf) as cluster,
        ):
            cluster.start()
            cluster.wait_quorate()
            send_on_all(cluster)
            try:
                print(run_story(cluster, bed, name, watched=NODES, quiet_s=asked.quiet), flush=True)
            except AssertionError as error:
                failed += 1
                print(f"{name}: FAILED: {str(error)[:4000]}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
