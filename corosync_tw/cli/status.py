"""``corosync-tw status``: ring, members, quorum, pace of the token and counters of one node."""

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import Any

from corosync_tw.cli.reaching import add_options, reach
from corosync_tw.cli.running import run


def add_parser(tools: Any) -> None:
    """Describe the tool."""
    parser: ArgumentParser = tools.add_parser(
        "status", help="show the state of a node", description=__doc__
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")
    add_options(parser)
    parser.set_defaults(run=main)


def main(args: Namespace) -> None:
    """Run the tool."""

    async def show(reactor: Any) -> int:
        node = await reach(reactor, args)
        status = await node.status()
        await node.disconnect()
        print(json.dumps(status, indent=2) if args.json else as_text(status))
        return 0

    run(show)


def as_text(status: Mapping[str, Any]) -> str:
    """Lay a node's state out for a person."""
    rows = {
        "Node": str(status["nodeid"]),
        "Ring": f"{status['ring_rep']}.{status['ring_seq']:x} ({_state(status)})",
        "Members": " ".join(map(str, status["members"])),
        "Quorate": "yes" if status["quorate"] else "no",
        "Token rotation": _rotation(status["token_rotation_us"]),
        "Send queue": f"{status['queue_level']:.0%} full",
    }
    if status.get("bad_links"):
        rows["Faulty links"] = ", ".join(f"{a} to {b}" for a, b in status["bad_links"])
    if status.get("faulty_rings"):
        rows["Faulty rings"] = " ".join(map(str, status["faulty_rings"]))
    counters = {name: value for name, value in status["counters"].items() if value}
    lines = [f"{name:16}{value}" for name, value in rows.items()]
    if counters:
        width = max(map(len, counters))
        lines += ["", "Counters that are not zero"]
        lines += [f"  {name:{width}}  {value}" for name, value in sorted(counters.items())]
    return "\n".join(lines)


def _state(status: Mapping[str, Any]) -> str:
    return f"{status['state']}, synchronizing" if status["sync_in_progress"] else status["state"]


def _rotation(rotation_us: float | None) -> str:
    return "unknown" if rotation_us is None else f"{rotation_us / 1000:.3f} ms"
