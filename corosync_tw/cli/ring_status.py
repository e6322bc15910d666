"""
Redundant rings, as ``corosync-cfgtool -s`` of 1.x and 2.x shows them; 3.x has none.

Source: Corosync 2.4.6 tools/corosync-cfgtool.c ringstatusget_do.
"""

from corosync_tw.cli.node_links import NONE, Ring
from corosync_tw.cli.stock_run import EXIT_FAILURE, EXIT_SUCCESS, fail, print_json
from corosync_tw.client.qb.cfg import Cfg
from corosync_tw.errors import CsError


def has_rings(ring: Ring) -> bool:
    """Tell whether there are redundant rings."""
    return not ring.is_knet and ring.rrp_mode != NONE


def print_rings(cfg: Cfg, ring: Ring, *, as_json: bool) -> int:
    """
    Show this node's rings; return the exit code, which tells whether one is faulty.

    Raises: Ended.
    """
    try:
        rings = cfg.ring_status()
    except CsError as fault:
        fail(f"Could not get the ring status, the error is: {fault.code}")
    faulty = any("FAULTY" in status for _, status in rings)
    if as_json:
        documents = []
        for name, status in rings:
            number, _, address = name.partition(" ")
            documents.append({"number": int(number), "address": address, "status": status})
        head = {"local_nodeid": ring.local_nodeid, "transport": ring.transport}
        print_json({**head, "rrp_mode": ring.rrp_mode, "rings": documents})
    else:
        print("Printing ring status.")
        print(f"Local node ID {ring.local_nodeid}")
        for place, (name, status) in enumerate(rings):
            address = name.partition(" ")[2]
            print(f"RING ID {place}\n\tid\t= {address}\n\tstatus\t= {status}")
    return EXIT_FAILURE if faulty else EXIT_SUCCESS
