"""
The matrix of boundaries on real daemons: which counter crossed which power of two, during what.

Run it as root: ``python -m tests.soak.boundary_matrix [--part NAME]``. It prints a table; a cell
tells how far below and above the boundary the counter was seen.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.interop.boundary_bed import BOUNDARIES, NODES, Cell, table
from tests.interop.boundary_stories import (
    of_processes,
    of_redundant_rings,
    of_ring_numbers,
    of_rings,
)
from tests.interop.netbed import NetBed

STOCK = [2]
KNET_BOUNDARIES = ("2^15", "2^16")
Part = Callable[[Path], Iterator[list[Cell]]]


def rings(directory: Path) -> Iterator[list[Cell]]:
    """Messages, tokens and rings of ours."""
    for boundary in BOUNDARIES:
        with NetBed(NODES) as bed:
            yield of_rings(bed, directory / boundary, boundary, [], messages=True, tokens=True)


def mixed_rings(directory: Path) -> Iterator[list[Cell]]:
    """Rings with a stock node, which takes a first token below 2^16."""
    for boundary, value in BOUNDARIES.items():
        tokens = value <= 1 << 16
        with NetBed(NODES) as bed:
            yield of_rings(
                bed, directory / boundary, boundary, STOCK, messages=False, tokens=tokens
            )


def numbers(directory: Path) -> Iterator[list[Cell]]:
    """The numbers of rings of ours, and of those with a stock node."""
    for stock in ([], STOCK):
        for boundary in BOUNDARIES:
            cells = []
            for during in ("loss", "join", "leave"):
                with NetBed(NODES) as bed:
                    place = directory / f"{boundary}-{during}-{len(stock)}"
                    cells += of_ring_numbers(bed, place, boundary, during, stock)
            yield cells


def sealed(directory: Path) -> Iterator[list[Cell]]:
    """Datagrams that are encrypted."""
    key = directory / "key"
    directory.mkdir()
    key.write_bytes(os.urandom(256))
    extra = f"    udp_crypto: aes256-gcm\n    keyfile: {key}\n"
    with NetBed(NODES) as bed:
        yield of_processes(bed, directory / "run", "sealed", BOUNDARIES, [], totem_extra=extra)


def knet(directory: Path) -> Iterator[list[Cell]]:
    """Knet's packets; a stock node hears them, too."""
    for stock in ([], [3]):
        with NetBed(NODES) as bed:
            yield of_processes(
                bed, directory / str(len(stock)), "knet", KNET_BOUNDARIES, stock, transport="knet"
            )


def redundant(directory: Path) -> Iterator[list[Cell]]:
    """Receptions of redundant rings."""
    with NetBed(NODES, networks=2) as bed:
        yield of_redundant_rings(bed, directory / "rrp")


PARTS: dict[str, Part] = {
    "rings": rings,
    "mixed": mixed_rings,
    "numbers": numbers,
    "sealed": sealed,
    "knet": knet,
    "rrp": redundant,
}


def main() -> int:
    """Run the parts; give the number of cells that were not seen, and of runs that failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", action="append", choices=PARTS, help="by default all")
    asked = parser.parse_args()
    cells: list[Cell] = []
    failed = 0
    for name in asked.part or PARTS:
        with tempfile.TemporaryDirectory() as directory:
            try:
                for found in PARTS[name](Path(directory) / name):
                    cells += found
                    print(table(found), flush=True)
            except AssertionError as error:
                failed += 1
                print(f"{name}: FAILED: {str(error)[:4000]}", flush=True)
    print(f"\n{table(cells)}")
    missing = sum(not cell.seen for cell in cells)
    print(f"{len(cells)} cells, {missing} not seen, {failed} runs failed")
    return missing + failed


if __name__ == "__main__":
    sys.exit(main())
