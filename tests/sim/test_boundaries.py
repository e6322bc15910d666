"""A small part of the matrix of boundaries; the whole is a soak program."""

from collections import Counter
from dataclasses import replace

import pytest

from tests.soak.boundaries import COLUMNS, ROWS, Cell, run_cell, table

ROW_OF = {row.name.partition(" (")[0]: row for row in ROWS}


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("message seq", 31),
        ("token_seq", 32),
        ("ring seq", 32),
        ("RRP test generations", 32),
        ("AEAD counters", 32),
    ],
)
def test_a_counter_crosses_a_boundary(name, column):
    cell = run_cell(ROW_OF[name], column, seeds=1)
    assert cell.crossings
    assert cell.faults["frames lost"] > 0


def test_what_is_not_crossed_is_not_claimed():
    row = replace(ROW_OF["message seq"], distances=(1 << 29,), boundaries={30: 1 << 30})
    with pytest.raises(AssertionError, match="was not crossed"):
        run_cell(row, 30, seeds=1)


def test_every_row_has_its_cells_in_the_table():
    row = ROW_OF["knet data seq"]
    assert set(row.boundaries) < set(COLUMNS)
    cell = Cell(Counter({(0, 1): 3}), 0, 2, Counter())
    assert table({}).count("2^") == len(COLUMNS)
    assert row.name in table({(row.name, 15): cell})
