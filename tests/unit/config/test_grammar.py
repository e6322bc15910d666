"""The grammar: what stock reads, it reads; what is no configuration ends in a named fault, soon."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corosync_tw.config import grammar
from corosync_tw.config.grammar import (
    FAULTS_MAX,
    FILE_LEN_BYTES_MAX,
    LINE_LEN_BYTES_MAX,
    STATEMENTS_MAX,
    parse,
)
from corosync_tw.config.tree import Item, Section, render, walk
from corosync_tw.errors import ConfigError


def read(content):
    """Return (tree, []) or (None, faults)."""
    try:
        return parse(content, "f"), []
    except ConfigError as error:
        return None, error.faults


def faults_of(content):
    root, faults = read(content)
    assert root is None
    return faults


def test_sections_keys_and_lines():
    root = parse(b"# c\ntotem {\n\tversion: 2\n  interface {\n ttl:1\n}\n}\nkey : a: b \n", "f")
    assert root.entries == [
        Section("totem", 0, [Item("version", "2"), Section("interface", 0, [Item("ttl", "1")])]),
        Item("key", "a: b"),
    ]
    assert [(path, section.line_no) for path, section in walk(root)] == [
        ("", 0),
        ("totem", 2),
        ("totem.interface", 4),
    ]
    assert next(root.items()).line_no == 8


@pytest.mark.parametrize(
    ("line", "entry"),
    [
        ("totem{\n}", Section("totem")),
        ("totem : {\n}", Section("totem")),
        ("a: b {\n}", Section("a: b")),
        ("a}b: c", Item("a}b", "c")),
        ("key:", Item("key", "")),
        ("key:\tone\ttwo\t", Item("key", "one\ttwo")),
        ("key: v\r", Item("key", "v")),
        ("\u00a0key\u00a0:\u00a0v\u00a0", Item("key", "v")),
        ("key: d\u00e9j\u00e0", Item("key", "d\u00e9j\u00e0")),
    ],
)
def test_line(line, entry):
    assert parse(line.encode(), "f").entries == [entry]


def test_no_break_space_of_latin_1():
    assert parse(b"\xa0key\xa0: v\xa0\n", "f").entries == [Item("key", "v")]


@pytest.mark.parametrize(
    ("text", "line_no", "fault"),
    [
        ("\n{\n}", 2, "Missing section name"),
        ("a { b\n}", 1, "Extra characters after opening bracket"),
        ("a {\nb }", 2, "Extra characters before or after closing bracket"),
        ("a {\n} b", 2, "Extra characters before or after closing bracket"),
        ("}", 1, "Unexpected closing brace"),
        ("a {\nb {\n}", 3, "Missing closing brace"),
        ("a {\nword\n}", 2, "a: Line is not opening or closing section or key value"),
        (": 1", 1, "Key name can't be empty"),
        ("a: b\0", 1, "NUL"),
        ("a: " + "x" * 508, 1, "Line too long"),
        ("a {\n" + "k" * 254 + ": 1\n}", 2, "New key makes total cmap path too long"),
        ("a {\n" * 200, 128, "Start of section makes total cmap path too long"),
    ],
)
def test_fault(text, line_no, fault):
    found = faults_of(text.encode())
    assert found[0].startswith(f"f:{line_no}: ")
    assert fault in found[0]


def test_all_faults_at_once():
    assert len(faults_of(b"one\ntwo\nthree: 3\n}\n")) == 3


def test_longest_line():
    room = LINE_LEN_BYTES_MAX - len("a: \n")
    assert parse(b"a: " + b"x" * room + b"\n", "f").entries
    assert "Line too long" in faults_of(b"a: " + b"x" * (room + 1) + b"\n")[0]


HOSTILE = {
    "10 MB of keys": lambda: b"token: 1000\n" * 900_000,
    "10 MB of comments": lambda: b"# a comment that says nothing\n" * 350_000,
    "10 MB of line feeds": lambda: b"\n" * 10_000_000,
    "10 MB in one line": lambda: b"a" * 10_000_000,
    "10 MB of zeros": lambda: bytes(10_000_000),
    "10 MB of noise": lambda: random.Random(1).randbytes(10_000_000),
    "10 MB of short lines of noise": lambda: (
        random.Random(2).randbytes(10_000_000).translate(b"\n" * 28 + bytes(range(28, 256)))
    ),
    "100,000 nested braces": lambda: b"a {\n" * 100_000,
    "100,000 nested braces in a line": lambda: b"a{" * 100_000,
    "100,000 closing braces": lambda: b"}\n" * 100_000,
    "100,000 sections": lambda: b"a {\n}\n" * 100_000,
    "512-byte lines": lambda: (b"k: " + b"v" * 508 + b"\n") * 1000,
    "more than the largest file": lambda: bytes(FILE_LEN_BYTES_MAX + 1),
}

TOO_MANY_STATEMENTS = {"10 MB of keys", "100,000 sections"}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_file_ends_soon(name, monkeypatch):
    """No more lines, and no longer ones, come to pyparsing than it reads in a few seconds."""
    lengths = [0]
    statement = grammar._Reader.statement

    def counted(reader, line, line_no):
        lengths.append(len(line))
        statement(reader, line, line_no)

    monkeypatch.setattr(grammar._Reader, "statement", counted)
    _, faults = read(HOSTILE[name]())
    assert len(lengths) <= STATEMENTS_MAX + 1
    assert max(lengths) < LINE_LEN_BYTES_MAX
    assert len(faults) <= FAULTS_MAX + 2
    assert any("more than 50000 lines" in f for f in faults) == (name in TOO_MANY_STATEMENTS)


NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,9}", fullmatch=True)
VALUES = st.text(
    st.characters(exclude_characters="{\n\r\0", exclude_categories=("Cs",)), max_size=30
).map(lambda text: text.strip(" \t\u00a0"))
ITEMS = st.builds(Item, NAMES, VALUES)
ENTRIES = st.recursive(
    ITEMS,
    lambda inner: st.builds(lambda n, e: Section(n, 0, e), NAMES, st.lists(inner, max_size=4)),
    max_leaves=12,
)


@settings(deadline=None)
@given(st.lists(ENTRIES, max_size=6))
def test_what_is_written_is_read(entries):
    root = Section("", 0, entries)
    assert parse(render(root).encode(), "f") == root


@settings(deadline=None)
@given(st.binary(max_size=600))
def test_bytes_end_in_a_tree_or_a_config_error(content):
    root, faults = read(content)
    assert (root is None) == bool(faults)


@settings(deadline=None)
@given(st.text("ab:{}#\n\t \r\0\u00a0", max_size=200))
def test_likely_text_ends_in_a_tree_that_reads_back(text):
    root, faults = read(text.encode())
    assert all(fault.startswith("f:") for fault in faults)
    assert root is None or parse(render(root).encode(), "f") == root
