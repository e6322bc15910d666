"""``corosync-tw tools``: provide the tools under the names that scripts call them by."""

import json
import os
import shlex
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any, Final

import corosync_tw
from corosync_tw.cli.stock_tools import PROGRAM, STOCK_TOOLS

MARK: Final = "# Made by corosync-tw tools --install."
_MODE: Final = 0o755


def add_parser(tools: Any) -> None:
    """Describe the tool."""
    parser: ArgumentParser = tools.add_parser(
        "tools", help="install the tools under their stock names", description=__doc__
    )
    parser.add_argument(
        "--install",
        metavar="DIR",
        required=True,
        help="directory to put corosync-cmapctl and the others into",
    )
    parser.add_argument(
        "--force", action="store_true", help="replace files that this command did not make"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(run=main)


def main(args: Namespace) -> None:
    """
    Run the tool.

    Raises: SystemExit, 1 when a file is not ours or cannot be written.
    """
    paths = [os.path.join(args.install, f"corosync-{name}") for name in STOCK_TOOLS]
    foreign = [path for path in paths if os.path.lexists(path) and not _ours(path)]
    if foreign and not args.force:
        _complain(f"not made by this command, use --force to replace: {' '.join(foreign)}")
    try:
        for name, path in zip(STOCK_TOOLS, paths, strict=True):
            _write(path, script(name))
    except OSError as fault:
        _complain(f"cannot write {fault.filename}: {fault.strerror}")
    if args.json:
        print(json.dumps({"installed": paths}))
    else:
        print("\n".join(paths))


def script(name: str) -> str:
    """
    Write the program that runs a tool with this interpreter and this copy of the package.

    Neither the environment nor the working directory has a say in what root imports.
    """
    home = str(Path(corosync_tw.__file__).resolve().parents[1])
    code = (
        f"import sys; sys.path.insert(0, {home!r}); "
        f"from corosync_tw.cli.main import main; main([{name!r}, *sys.argv[1:]])"
    )
    command = f"exec {shlex.quote(sys.executable)} -I -c {shlex.quote(code)}"
    return f'#!/bin/sh\n{MARK}\n{command} "$@"\n'


def _ours(path: str) -> bool:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return MARK in file.read(4096)
    except OSError:
        return False


def _write(path: str, text: str) -> None:
    """Put a file in its place at once, so that nobody runs half of it."""
    new = f"{path}.new"
    with open(new, "w", encoding="utf-8") as file:
        file.write(text)
        os.fchmod(file.fileno(), _MODE)
    os.replace(new, path)


def _complain(text: str) -> None:
    print(f"{PROGRAM}: {text}", file=sys.stderr)
    raise SystemExit(1)
