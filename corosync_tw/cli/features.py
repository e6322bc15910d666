"""
``corosync-tw features``: what this machine has of what the daemon can use.

A feature is found out by trying it, as whoever runs this: the daemon may be allowed more. The
environment variable COROSYNC_TW_WITHOUT takes features away, here and from the daemon. Exit code 0;
1 when one of those that were named is not here.
"""

import json
import shutil
import sys
import textwrap
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterator, Sequence
from typing import Any, Final

from corosync_tw import features
from corosync_tw.cli.feature_probes import FEATURES

_NAME_WIDTH: Final = 18
_STATE_WIDTH: Final = 9
_WIDTH_MAX: Final = 100
_WIDTH_DEFAULT: Final = 80
_NAMES: Final = tuple(feature.name for feature in FEATURES)


def add_parser(tools: Any) -> None:
    """Describe the tool."""
    parser: ArgumentParser = tools.add_parser(
        "features",
        help="show what this machine has of what the daemon can use",
        description=(__doc__ or "").partition("\n\n")[2],
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument(
        "names", metavar="NAME", nargs="*", type=_known, help="these alone, not all"
    )
    parser.set_defaults(run=main)


def _known(name: str) -> str:
    if name not in _NAMES:
        raise ArgumentTypeError(f"no feature {name!r}; there are {', '.join(_NAMES)}")
    return name


def main(args: Namespace) -> None:
    """Run the tool. Raises: SystemExit, with 1 when one of the named is not here."""
    found = list(probed(args.names or _NAMES))
    if args.json:
        print(json.dumps({"features": found}))
    else:
        width = min(shutil.get_terminal_size((_WIDTH_DEFAULT, 0)).columns, _WIDTH_MAX)
        print("\n".join(as_text(found, width)))
    if args.names and not all(one["available"] for one in found):
        sys.exit(1)


def probed(names: Sequence[str] = _NAMES) -> Iterator[dict[str, Any]]:
    """Try features."""
    for feature in FEATURES:
        if feature.name not in names:
            continue
        available, detail = feature.probe()
        yield {
            "name": feature.name,
            "available": available,
            "used": available and bool(feature.used_for),
            "switched_off": feature.name in features.OFF,
            "used_for": feature.used_for,
            "without": feature.without,
            "remedy": feature.remedy,
            "detail": detail,
        }


def as_text(found: list[dict[str, Any]], width: int = _WIDTH_DEFAULT) -> Iterator[str]:
    """Lay them out for a person, in so many columns."""
    indent = " " * (_NAME_WIDTH + _STATE_WIDTH)
    yield f"{'feature':{_NAME_WIDTH}}{'here':{_STATE_WIDTH}}what for"
    for one in found:
        head = f"{one['name']:{_NAME_WIDTH}}{_state(one):{_STATE_WIDTH}}"
        for text in _texts(one):
            yield from textwrap.wrap(
                text,
                max(width, len(indent) + _NAME_WIDTH),
                initial_indent=head,
                subsequent_indent=indent + "  " * (head == indent),
            )
            head = indent
    lacking = [one["name"] for one in found if one["used_for"] and not one["available"]]
    if lacking:
        yield from textwrap.wrap(f"not here: {', '.join(lacking)}", width)


def _state(one: dict[str, Any]) -> str:
    if one["available"]:
        return "yes"
    return "off" if one["switched_off"] else "MISSING" if one["used_for"] else "no"


def _texts(one: dict[str, Any]) -> Iterator[str]:
    """Say what a feature is for, and without it what is done, why, and how to get it."""
    detail = one["detail"]
    if not one["used_for"]:
        yield f"not used: {one['without']}"
    elif one["available"]:
        yield f"{one['used_for']} ({detail})" if detail else one["used_for"]
    else:
        yield one["used_for"]
        yield f"without it: {one['without']}"
        if one["switched_off"]:
            yield f"{features.VARIABLE} takes it away"
            return
        if detail:
            yield f"tried: {detail}"
        yield f"to get it: {one['remedy']}"
