"""
``corosync-tw features``: what this machine has of what the daemon can use.

A feature is found out by trying it, as whoever runs this: the daemon may be allowed more. The
environment variable COROSYNC_TW_WITHOUT takes features away, here and from the daemon.
"""

import json
import textwrap
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from typing import Any, Final

from corosync_tw import features
from corosync_tw.cli.feature_probes import FEATURES

_NAME_WIDTH: Final = 18
_STATE_WIDTH: Final = 9
_WIDTH: Final = 100


def add_parser(tools: Any) -> None:
    """Describe the tool."""
    parser: ArgumentParser = tools.add_parser(
        "features",
        help="show what this machine has of what the daemon can use",
        description=(__doc__ or "").partition("\n\n")[2],
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(run=main)


def main(args: Namespace) -> None:
    """Run the tool."""
    found = list(probed())
    if args.json:
        print(json.dumps({"features": found}))
    else:
        print("\n".join(as_text(found)))


def probed() -> Iterator[dict[str, Any]]:
    """Try all features."""
    for feature in FEATURES:
        available, detail = feature.probe()
        yield {
            "name": feature.name,
            "available": available,
            "used": available and bool(feature.used_for),
            "switched_off": feature.name in features.OFF,
            "used_for": feature.used_for,
            "without": feature.without,
            "detail": detail,
        }


def as_text(found: list[dict[str, Any]]) -> Iterator[str]:
    """Lay them out for a person."""
    yield f"{'feature':{_NAME_WIDTH}}{'here':{_STATE_WIDTH}}what for, or what is done without it"
    indent = " " * (_NAME_WIDTH + _STATE_WIDTH)
    for one in found:
        state = "off" if one["switched_off"] else "yes" if one["available"] else "MISSING"
        words = one["used_for"] if one["available"] else f"without it: {one['without']}"
        if not one["used_for"]:
            state, words = ("yes" if one["available"] else "no"), one["without"]
        if one["detail"]:
            words += f" ({one['detail']})"
        lines = textwrap.wrap(words, _WIDTH - len(indent)) or [""]
        yield f"{one['name']:{_NAME_WIDTH}}{state:{_STATE_WIDTH}}{lines[0]}"
        yield from (indent + line for line in lines[1:])
