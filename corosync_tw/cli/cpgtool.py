"""
``corosync-cpgtool``: list groups and their members.

Source: Corosync tools/corosync-cpgtool.c.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from corosync_tw.cli.gnu_options import Options
from corosync_tw.cli.stock_run import (
    EXIT_FAILURE,
    EXIT_SUCCESS,
    Ended,
    complain,
    fail,
    print_json,
)
from corosync_tw.cli.usage_texts import CPGTOOL
from corosync_tw.client.qb.cfg import Cfg, connect_cfg
from corosync_tw.client.qb.cpg import Cpg, Entry, Listing, connect_cpg
from corosync_tw.errors import CsError
from corosync_tw.printable import escaped

PROGRAM: Final = "corosync-cpgtool"


@dataclass(slots=True)
class Style:
    """
    What is printed, and how.

    :ivar delimiter: one character between fields, or none for columns.
    :ivar escape: write what is not printable in hexadecimal.
    """

    delimiter: str = ""
    escape: bool = True
    names_only: bool = False
    as_json: bool = False

    def group(self, name: bytes) -> str:
        """Write a group's name."""
        return escaped(name) if self.escape else name.decode(errors="surrogateescape")


def main(argv: Sequence[str]) -> int:
    """
    Run the tool; return its exit code.

    Raises: Ended, WrongOption.
    """
    style = _read(argv)
    try:
        cpg = connect_cpg()
    except CsError as fault:
        fail(f"Could not initialize corosync cpg API error {fault.code}")
    try:
        cfg = connect_cfg()
    except CsError as fault:
        fail(f"Could not initialize corosync configuration API error {fault.code}")
    return _print_names(cpg, style) if style.names_only else _print_members(cpg, cfg, style)


def _read(argv: Sequence[str]) -> Style:
    style = Style()
    for option, argument in Options(PROGRAM, argv, "hd:ne", own=["json"]):
        match option:
            case "d":
                style.delimiter = argument[:1] or style.delimiter
            case "n":
                style.names_only = True
            case "e":
                style.escape = False
            case "json":
                style.as_json = True
            case _:
                print(CPGTOOL, end="")
                raise Ended(EXIT_SUCCESS)
    return style


def _entries(cpg: Cpg, listing: Listing) -> tuple[list[Entry], CsError | None]:
    """List entries up to the first error, and give that, too."""
    try:
        iteration = cpg.iterate(listing)
    except CsError as fault:
        fail(f"Cannot initialize cpg iterator error {fault.code}")
    entries: list[Entry] = []
    try:
        entries.extend(iteration)
    except CsError as fault:
        return entries, fault
    return entries, None


def _print_names(cpg: Cpg, style: Style) -> int:
    entries, _ = _entries(cpg, Listing.NAME_ONLY)
    names = [style.group(entry.group) for entry in entries]
    if style.as_json:
        print_json({"groups": names})
        return EXIT_SUCCESS
    end = style.delimiter or "\n"
    sys.stdout.write("".join(name + end for name in names))
    if style.delimiter:
        print()
    return EXIT_SUCCESS


def _print_members(cpg: Cpg, cfg: Cfg, style: Style) -> int:
    entries, fault = _entries(cpg, Listing.ALL)
    if style.as_json:
        print_json({"members": [_document(entry, cfg, style) for entry in entries]})
    elif style.delimiter:
        _print_fields(entries, style)
    else:
        _print_columns(entries, cfg, style)
    if fault is not None:
        complain(f"cpg iteration error {fault.code}")
        return EXIT_FAILURE
    return EXIT_SUCCESS


def _document(entry: Entry, cfg: Cfg, style: Style) -> dict[str, object]:
    return {
        "group": style.group(entry.group),
        "pid": entry.pid,
        "nodeid": entry.nodeid,
        "addresses": _addresses(cfg, entry.nodeid),
    }


def _print_fields(entries: Sequence[Entry], style: Style) -> None:
    mark = style.delimiter
    print(f"GRP_NAME{mark}PID{mark}NODEID")
    for entry in entries:
        print(f"{style.group(entry.group)}{mark}{entry.pid}{mark}{entry.nodeid}")


def _print_columns(entries: Sequence[Entry], cfg: Cfg, style: Style) -> None:
    print(f"Group Name\t{'PID':>10}\t{'Node ID':>10}")
    last = b""
    for entry in entries:
        if entry.group != last:
            print(style.group(entry.group))
            last = entry.group
        addresses = " ".join(_addresses(cfg, entry.nodeid))
        print(f"\t\t{entry.pid:10}\t{entry.nodeid:10} ({addresses})")


def _addresses(cfg: Cfg, nodeid: int) -> list[str]:
    """List a node's addresses; of one that is gone there are none."""
    try:
        return [address for address in cfg.node_addresses(nodeid) if address is not None]
    except CsError:
        return []
