"""
Knet as Corosync has it by default, encrypted and with two links: each link of each node is cut and
restored in turn under load, with the rest that libknet's timeouts need to become short again.

Run it as root: ``python -m tests.soak.knet_links --stock 1,2 --ours 3``.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.interop.link_stories import links_cut_in_turn
from tests.interop.netbed import NetBed
from tests.interop.nodes import Cluster
from tests.interop.test_knet_ring import SEALED, VISIT_MSGS

# libknet takes a second off the timeout of a link that is up, eight times.
REST_S = 9.0


def nodeids(text: str) -> list[int]:
    """Read a list with commas; an empty one is none."""
    return [int(word) for word in text.split(",") if word]


def main() -> int:
    """Run one ring; give 0 when no node noticed anything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stock", type=nodeids, default=[1, 2])
    parser.add_argument("--ours", type=nodeids, default=[3])
    parser.add_argument("--token", type=int, default=3000, help="milliseconds; pings follow it")
    parser.add_argument("--link-mode", default="passive", choices=("passive", "active", "rr"))
    parser.add_argument("--clear", action="store_true", help="without encryption")
    asked = parser.parse_args()
    mode = f"    link_mode: {asked.link_mode}\n"
    conf = {
        "transport": "knet",
        "token_ms": asked.token,
        "totem_extra": mode if asked.clear else mode + SEALED,
    }
    with (
        tempfile.TemporaryDirectory() as directory,
        NetBed([*asked.stock, *asked.ours], networks=2) as bed,
        Cluster(bed.machines, asked.stock, asked.ours, Path(directory), **conf) as cluster,
    ):
        cluster.straddling_max = VISIT_MSGS
        cluster.start()
        cluster.wait_quorate()
        print("\n".join(links_cut_in_turn(cluster, bed, rest_s=REST_S)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
