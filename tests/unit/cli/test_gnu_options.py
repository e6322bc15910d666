"""Command lines as getopt reads them; what getopt says was taken from it."""

import pytest

from corosync_tw.cli.gnu_options import Options, WrongOption, number

LONG = {"status": "s", "start": "S", "kill": "k:", "force": "force"}


def read(argv, short="ab:c", long=None, own=("json",)):
    options = Options("tool", argv.split(), short, long, own=own)
    return list(options), options.operands


@pytest.mark.parametrize(
    ("argv", "options", "operands"),
    [
        ("", [], []),
        ("-a -c", [("a", ""), ("c", "")], []),
        ("-ac", [("a", ""), ("c", "")], []),
        ("-abvalue", [("a", ""), ("b", "value")], []),
        ("-b value x", [("b", "value")], ["x"]),
        ("-b -a", [("b", "-a")], []),
        ("x -a y", [("a", "")], ["x", "y"]),
        ("-a -- -c", [("a", "")], ["-c"]),
        ("- -a", [("a", "")], ["-"]),
        ("--json -a", [("json", ""), ("a", "")], []),
    ],
)
def test_short_options(argv, options, operands):
    assert read(argv) == (options, operands)


@pytest.mark.parametrize(
    ("argv", "options"),
    [
        ("--status", [("s", "")]),
        ("--stat", [("s", "")]),
        ("--kill 5", [("k", "5")]),
        ("--kill=5", [("k", "5")]),
        ("--k=", [("k", "")]),
        ("--force -a", [("force", ""), ("a", "")]),
    ],
)
def test_long_options(argv, options):
    assert read(argv, long=LONG)[0] == options


@pytest.mark.parametrize(
    ("argv", "long", "complaint"),
    [
        ("-x", None, "invalid option -- 'x'"),
        ("-ax", None, "invalid option -- 'x'"),
        ("--jso", None, "invalid option -- '-'"),
        ("-b", None, "option requires an argument -- 'b'"),
        ("-a:", None, "invalid option -- ':'"),
        ("--nosuch", LONG, "unrecognized option '--nosuch'"),
        ("--nosuch=1", LONG, "unrecognized option '--nosuch'"),
        ("--sta", LONG, "option '--sta' is ambiguous; possibilities: '--status' '--start'"),
        ("--status=1", LONG, "option '--status' doesn't allow an argument"),
        ("--stat=1", LONG, "option '--status' doesn't allow an argument"),
        ("--kill", LONG, "option '--kill' requires an argument"),
    ],
)
def test_complaints(argv, long, complaint, capsys):
    with pytest.raises(WrongOption):
        read(argv, long=long)
    assert capsys.readouterr().err == f"tool: {complaint}\n"


def test_what_stands_before_a_wrong_option_is_handed_out():
    options = iter(Options("tool", ["-a", "-x"], "a"))
    assert next(options) == ("a", "")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        (" +5", 5),
        ("-0", 0),
        ("10", 10),
        ("11", None),
        ("-1", None),
        ("", None),
        ("5 ", None),
        ("0x5", None),
        ("1_0", None),
        ("\u0665", None),
    ],
)
def test_numbers(text, value):
    assert number(text, 0, 10) == value
