"""
One ring under load for long, in which daemons and C clients are killed at random, again and again.

    python -m tests.soak.kill_loop [--kills N] [--stock NODEID]... [--seed S]

Needs root and a stock corosync. The ring has three nodes, ours but for those named stock. The same
seed draws the same kills. Ends with 1 when the checks of ``tests.interop.kill_loop`` fail, and then
keeps the files.
"""

import argparse
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.interop.kill_loop import KillLoop
from tests.interop.netbed import NetBed
from tests.interop.nodes import Cluster

NODES = (1, 2, 3)
TOKEN_MS = 1000


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Kill daemons and clients of one ring at random.")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--stock", type=int, action="append", default=[], choices=NODES)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "little"))
    options = parser.parse_args(argv)
    stock = "".join(f" --stock {nodeid}" for nodeid in options.stock)
    command = f"kill_loop --kills {options.kills}{stock} --seed {options.seed}"
    print(command)
    directory = Path(tempfile.mkdtemp(prefix="kill-loop-"))
    ours = [nodeid for nodeid in NODES if nodeid not in options.stock]
    try:
        with (
            NetBed(NODES) as bed,
            Cluster(bed.machines, options.stock, ours, directory, token_ms=TOKEN_MS) as cluster,
        ):
            loop = KillLoop(cluster, random.Random(options.seed))
            killed = loop.run(options.kills, lambda text: print(text, flush=True))
    except Exception as error:  # noqa: BLE001 - reported with the way to repeat it
        print(f"failed: {error}\nfiles: {directory}", file=sys.stderr)
        print(f"repeat: python -m tests.soak.{command}")
        return 1
    shutil.rmtree(directory)
    print(", ".join(f"{count} {what}" for what, count in killed.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
