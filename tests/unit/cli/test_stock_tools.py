"""Tools that stand in for stock ones, as far as they need no daemon."""

import math
import os
import subprocess
import sys

import pytest

from corosync_tw.cli import cmapctl, keygen
from corosync_tw.cli.cmap_files import Deletion, Setting, read_settings
from corosync_tw.cli.cmap_values import Style, parse_value
from corosync_tw.cli.main import main
from corosync_tw.cli.stock_run import Ended, exit_code, repeated
from corosync_tw.cli.stock_tools import STOCK_TOOLS
from corosync_tw.cli.tools import MARK
from corosync_tw.errors import CsTryAgain
from corosync_tw.printable import escaped
from corosync_tw.services.cmap.values import TypedValue
from corosync_tw.services.cmap.wire import ValueType


@pytest.mark.parametrize("name", STOCK_TOOLS)
def test_no_tool_imports_a_reactor(name):
    code = (
        f"import sys; import corosync_tw.cli.main, corosync_tw.cli.{name}; "
        "sys.exit('twisted' in sys.modules or 'zope' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("u8", "255", 255),
        ("u8", "5abc", 5),
        ("i8", "-128", -128),
        ("u64", "-1", 2**64 - 1),
        ("u64", "99999999999999999999", 2**64 - 1),
        ("i64", "99999999999999999999", 2**63 - 1),
        ("i64", "-99999999999999999999", -(2**63)),
        ("flt", "1.5x", 1.5),
        ("flt", "1e40", math.inf),
        ("dbl", "1e3", 1000.0),
        ("dbl", "0x1p4", 16.0),
        ("dbl", ".5", 0.5),
        ("str", "", ""),
    ],
)
def test_values_are_read_as_scanf_reads_them(kind, text, value):
    assert parse_value(kind, text).value == value


@pytest.mark.parametrize(
    ("kind", "text", "complaint"),
    [
        ("u8", "256", "256 is not valid u8 integer"),
        ("u8", "-1", "-1 is not valid u8 integer"),
        ("i16", "40000", "40000 is not valid i16 integer"),
        ("u32", "x", "x is not valid u32 type value"),
        ("dbl", "", " is not valid dbl type value"),
        ("u9", "1", "Unknown type u9"),
        ("bin", "/nosuch", "Can't open input file: No such file or directory"),
    ],
)
def test_values_that_are_none(kind, text, complaint, capsys):
    with pytest.raises(Ended) as caught:
        parse_value(kind, text)
    assert caught.value.code == 1
    assert capsys.readouterr().err == f"{complaint}\n"


def test_values_are_shown():
    binary = TypedValue(ValueType.BINARY, b"a\\\x01\xff")
    assert Style().text("k", TypedValue.u32(5)) == "k (u32) = 5"
    assert Style(quiet=True).text("k", TypedValue.u32(5)) == "5"
    assert Style().text("k", TypedValue(ValueType.FLOAT, 1.5)) == "k (flt) = 1.500000"
    assert Style().text("k", binary) == "k (bin)"
    assert Style(binary=True).text("k", binary) == "k (bin) = a\\\\\\x01\\xFFFFFFFF"
    assert Style(quiet=True, binary=True).text("k", binary).startswith("bin) = ")
    assert Style(binary=True).document("k", binary)["value"] == "YVwB/w=="
    assert Style().document("k", binary)["value"] is None
    assert Style().document("k", TypedValue(ValueType.DOUBLE, math.nan))["value"] == "nan"


def test_every_byte_is_printable_when_escaped():
    assert all(0x20 <= ord(letter) < 0x7F for letter in escaped(bytes(range(256))))


def test_files_of_settings(tmp_path, capsys):
    path = tmp_path / "settings"
    path.write_text(
        "# no\n\n \t# no\nk u8 1\n\tk.s str two words\n^a\n^^b.\n^\nbad u8\nnever u8 1\n"
    )
    steps = read_settings(str(path))
    assert [next(steps) for _ in range(5)] == [
        Setting("k", "u8", "1"),
        Setting("k.s", "str", "two"),
        Deletion("a", is_prefix=False),
        Deletion("b.", is_prefix=True),
        Deletion("", is_prefix=False),
    ]
    with pytest.raises(Ended):
        next(steps)
    assert capsys.readouterr().err == "Both type and value for key bad are required\n"


def test_a_file_of_settings_that_is_not_there(capsys):
    assert list(read_settings("/nosuch")) == []
    assert capsys.readouterr().err == "Couldn't open file.: No such file or directory\n"


def test_try_again_is_tried_again_and_no_more():
    calls = []

    def busy():
        calls.append(1)
        raise CsTryAgain

    with pytest.raises(CsTryAgain):
        repeated(busy, 3, pause_s=0)
    assert len(calls) == 3
    assert repeated(lambda: 5, 3) == 5


def test_wrong_command_lines_reach_no_daemon(capsys):
    assert exit_code(cmapctl.main, ["-g"]) == 1
    assert capsys.readouterr().err == "Expected key after options\n"
    assert exit_code(cmapctl.main, ["-x"]) == 1
    assert exit_code(cmapctl.main, ["-m", "x"]) == 1


def test_a_key_for_a_cluster(tmp_path, capsys):
    path = tmp_path / "key"
    assert keygen.main(["-k", str(path), "-s", "128"]) == 0
    assert path.stat().st_mode & 0o7777 == 0o400
    first = path.read_bytes()
    assert len(first) == 128
    assert capsys.readouterr().out.endswith(f"Writing corosync key to {path}.\n")
    path.unlink()
    assert keygen.main(["-k", str(path), "-s", "128", "--json"]) == 0
    assert path.read_bytes() != first


def test_a_random_file_that_ends(tmp_path, capsys):
    key = tmp_path / "key"
    assert exit_code(keygen.main, ["-k", str(key), "-r", "/dev/null"]) == 1
    assert not key.exists()


def test_tools_are_installed_and_replaced(tmp_path, capsys):
    main_argv = ["tools", "--install", str(tmp_path)]
    main(main_argv)
    main(main_argv)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == sorted(f"corosync-{name}" for name in STOCK_TOOLS)
    told = subprocess.run(
        [tmp_path / "corosync-cmapctl", "-h"],
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
        env={"PATH": os.environ["PATH"]},
    )
    assert told.stdout.startswith("\nusage:  corosync-cmapctl")


def test_files_of_others_stay(tmp_path, capsys):
    path = tmp_path / "corosync-cfgtool"
    path.write_text("#!/bin/sh\n")
    with pytest.raises(SystemExit) as caught:
        main(["tools", "--install", str(tmp_path)])
    assert caught.value.code == 1
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    assert str(path) in capsys.readouterr().err
    main(["tools", "--install", str(tmp_path), "--force"])
    assert MARK in path.read_text()
