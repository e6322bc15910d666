"""
One of our daemons whose counters begin where a test says, so that it comes to their boundaries
soon. Nothing of this is in the daemon: the functions that make parameters are wrapped here.

``python -m tests.interop.boundary_node [--message N] [--token N] [--knet N] [--sealed N] [--rrp N]
[--told FILE] -- TWISTD-OPTIONS``. At SIGUSR1 it reads a JSON object of ``sealed``, ``knet`` and
``rrp`` in FILE, lets these counters go on from there, and writes the counts of its rings into
FILE.counts.
"""

import argparse
import json
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from twisted.scripts import twistd

from corosync_tw.daemon import knet_carriage, network, node, ring_carriage, running
from corosync_tw.net.crypto.guard import Guard
from corosync_tw.net.knet.wire import SEQ_MAX
from corosync_tw.totem.rrp.monitor import Monitor

COUNTERS = ("message", "token", "knet", "sealed", "rrp")

# Farther behind a number of knet's than that is ahead of it.
BEHIND_MAX = 4096

guards: list[Guard] = []
carriages: list[Any] = []


def wrap(make: Callable[..., Any], **changes: int) -> Callable[..., Any]:
    """Have parameters made with other values."""

    def made(*arguments: Any) -> Any:
        return replace(make(*arguments), **changes)

    return made


def remember(kind: type[Any]) -> type[Any]:
    """Keep what is made of a carriage's class."""

    def made(*arguments: Any) -> Any:
        carriages.append(kind(*arguments))
        return carriages[-1]

    return made  # type: ignore[return-value]


def begin_at(starts: argparse.Namespace) -> None:
    """Wrap what makes the parameters of a daemon."""
    ring = wrap(running.totem_params, seqno_start=starts.message, token_seq_start=starts.token)
    node.totem_params = running.totem_params = ring  # type: ignore[attr-defined]
    knet_carriage.knet_params = wrap(knet_carriage.knet_params, seq=starts.knet)  # type: ignore[attr-defined]
    ring_carriage.rrp_params = wrap(ring_carriage.rrp_params, count_start=starts.rrp)  # type: ignore[attr-defined]

    def guard(*arguments: Any) -> Guard:
        guards.append(Guard(*arguments, counter_start=starts.sealed))
        return guards[-1]

    network.Guard = guard  # type: ignore[attr-defined,assignment,misc]
    network.KnetCarriage = remember(network.KnetCarriage)  # type: ignore[attr-defined,misc]
    network.RingCarriage = remember(network.RingCarriage)  # type: ignore[attr-defined,misc]


def monitors(carriage: Any) -> dict[str, Monitor]:
    """Name what counts the receptions of each network."""
    judge = carriage.layer._judge
    senders = judge._messages.senders.items()
    return {"tokens": judge._tokens, **{f"n{nodeid}": one for nodeid, one in senders}}


def jump(sender: Any, seq: int) -> None:
    """Let knet's sequence numbers go on from elsewhere, unless that is behind."""
    if seq and (sender.seq - seq) % SEQ_MAX > BEHIND_MAX:
        sender.seq = seq


def go_on(told: Path) -> None:
    """Do what the file says; counters that are on the wire only grow."""
    said = json.loads(told.read_text())
    for guard in guards:
        guard._counter = max(guard._counter, said.get("sealed", 0))
    counts: dict[str, list[int]] = {}
    for carriage in carriages:
        if hasattr(carriage, "layer"):
            found = monitors(carriage)
            for monitor in found.values() if "rrp" in said else ():
                more = said["rrp"] - max(monitor.counts)
                monitor.counts[:] = [max(0, count + more) for count in monitor.counts]
            counts = {name: list(monitor.counts) for name, monitor in found.items()}
        else:
            jump(carriage.transport.engine._sender, said.get("knet", 0))
    fresh = told.with_suffix(".fresh")
    fresh.write_text(json.dumps(counts))
    fresh.rename(told.with_suffix(".counts"))


def main() -> None:
    """Run twistd."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in COUNTERS:
        parser.add_argument(f"--{name}", type=int, default=0)
    parser.add_argument("--told", type=Path)
    parser.add_argument("rest", nargs=argparse.REMAINDER)
    starts = parser.parse_args()
    begin_at(starts)
    if starts.told:
        signal.signal(signal.SIGUSR1, lambda *_: go_on(starts.told))
    sys.argv = ["twistd", *starts.rest[1:]]
    twistd.run()


if __name__ == "__main__":
    main()
