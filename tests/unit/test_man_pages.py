"""The manual pages are free of faults, and name what there is and nothing else."""

import argparse
import os
import re
import subprocess
import sys
from importlib import import_module

import pytest

from corosync_tw.cli import main
from corosync_tw.cli.stock_tools import STOCK_TOOLS
from corosync_tw.config.legacy import KEYS, SECTIONS
from corosync_tw.config.schema import all_directives
from corosync_tw.daemon.options import Options
from tests.unit.manual import (
    DEVIATIONS,
    MAN,
    PAGES,
    described_options,
    directives,
    lines,
    synopsis_options,
)

# Pages of other packages, and the one that is made of the documentation, to which ours refer.
ELSEWHERE = (
    "corosync_tw_deviations.7",
    *(f"corosync-{tool}.8" for tool in ("blackbox", "cfgtool", "cmapctl", "cpgtool", "keygen")),
    *("corosync-qdevice.8", "corosync-qnetd.8", "corosync-quorumtool.8", "corosync.8"),
    *("cmap_overview.3", "sam_overview.3", "sd_notify.3", "syslog.3"),
    *("systemd-journald.8", "systemd.exec.5"),
)
# Directives that the reader finds by a pattern, or in sections that have no class.
FOUND_BY_PATTERN = {
    "nodelist.node.ringX_addr",
    "quorum.device.heuristics.exec_NAME",
    "totem.interface.member.memberaddr",
    "uidgid.uid",
    "uidgid.gid",
}


def quoted_names(page):
    return {name for line in lines(page) if line.startswith(".Xr ") for name in line.split()[1:2]}


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Install our pages, and ones by the names of those elsewhere; return where they are."""
    root = tmp_path_factory.mktemp("man")
    stand_ins = {
        name: f".Dd November 1, 2026\n.Dt {name[:-2].upper()} {name[-1]}\n.Os\n"
        f".Sh NAME\n.Nm {name[:-2]}\n.Nd elsewhere\n"
        for name in ELSEWHERE
    }
    for name, text in stand_ins.items() | {(path.name, path.read_text()) for path in PAGES}:
        section = root / f"man{name[-1]}"
        section.mkdir(exist_ok=True)
        (section / name).write_text(text)
    subprocess.run(["makewhatis", str(root)], check=True)
    return root


def said_of(path, installed):
    """Return what mandoc says of a page, where those are installed to which it refers."""
    return subprocess.run(
        ["mandoc", "-Tlint", "-Wstyle", str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env=os.environ | {"MANPATH": str(installed)},
    ).stdout


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_mandoc_is_silent(path, installed):
    assert said_of(path, installed) == ""


# Directives


def test_every_directive_is_described_and_no_other():
    schema = {name for name, _ in all_directives()} | FOUND_BY_PATTERN
    told = {name for name in directives() if not name.startswith("Sections of 1.x")}
    assert sorted(schema - told) == [], (
        'describe these in man/corosync.conf.5: ".It Ic KEY" below ".Ss SECTION"'
    )
    assert sorted(told - schema) == [], "man/corosync.conf.5 describes what the schema lacks"


def test_defaults_are_those_of_the_schema():
    told = directives()
    wrong = []
    for name, declared in all_directives():
        if declared.no_effect or declared.default is None or isinstance(declared.default, bool):
            continue
        default = declared.default
        shown = re.escape(str(default[0] if isinstance(default, tuple) else default))
        if name != "totem.version" and not re.search(rf"(?<!\w){shown}(?!\w)", told[name]):
            wrong.append(f"{name}: {default}")
    assert wrong == [], "man/corosync.conf.5 does not name these defaults"


def test_directives_without_effect_are_said_to_be():
    told = directives()
    silent = [
        name for name, d in all_directives() if d.no_effect and "ithout effect" not in told[name]
    ]
    assert silent == []


def test_what_1x_had_is_named():
    text = "\n".join(lines("corosync.conf.5"))
    names = {*KEYS, *(name for name, instead in SECTIONS.items() if instead)}
    assert [name for name in names if not re.search(rf"\b{name}\b", text)] == []


# Tools


def parser_options(parser):
    return {name for action in parser._actions for name in action.option_strings}


def own_options(tool):
    """Options of a tool of ours, as its parser knows them."""
    tools = argparse.ArgumentParser().add_subparsers()
    import_module(f"corosync_tw.cli.{tool}").add_parser(tools)
    return parser_options(tools.choices[tool])


class Asked(Exception):
    """The table that a tool gave."""


def stock_options(tool, monkeypatch):
    """Options of a tool that stands in for a stock one, from the table that it reads."""
    module = import_module(f"corosync_tw.cli.{tool}")

    def asked(program, argv, short, long=None, *, own=()):
        letters = {f"-{letter}" for letter in short if letter != ":"}
        raise Asked(letters | {f"--{name}" for name in (*(long or ()), *own)})

    monkeypatch.setattr(module, "Options", asked)
    with pytest.raises(Asked) as caught:
        module.main([])
    return caught.value.args[0]


def check_page(page, options, others=frozenset()):
    assert (MAN / page).exists(), (
        f"write man/{page}: see man/corosync-tw-status.8, and name the tool in man/corosync-tw.8"
    )
    told = described_options(page)
    assert sorted(options - told) == [], f'describe these in man/{page}: ".It Fl OPTION Ar word"'
    assert sorted(told - options) == [], f"man/{page} describes options that there are not"
    unknown = synopsis_options(page) - options - others
    assert sorted(unknown) == [], f"the synopsis of man/{page} names options that there are not"


@pytest.mark.parametrize("tool", main._OWN_TOOLS)
def test_the_options_of_our_tools_are_described(tool):
    check_page(f"corosync-tw-{tool}.8", own_options(tool))


@pytest.mark.parametrize("tool", STOCK_TOOLS)
def test_the_options_of_stand_ins_are_described(tool, monkeypatch):
    check_page(f"corosync-tw-{tool}.8", stock_options(tool, monkeypatch))


def test_the_options_of_the_daemon_are_described():
    rows = (*Options.optParameters, *Options.optFlags)
    options = {f"--{row[0]}" for row in rows} | {f"-{row[1]}" for row in rows if row[1]}
    # The synopsis has one of twistd's own.
    check_page("corosync_tw.8", options, {"-n"})


def test_the_page_of_all_tools_names_each_and_no_other(monkeypatch, capsys):
    tools = {*STOCK_TOOLS, *main._OWN_TOOLS}
    page = "corosync-tw.8"
    items = {line.split()[2] for line in lines(page) if line.startswith(".It Cm ")}
    assert items == tools, f'each tool is an item of man/{page}: ".It Cm NAME"'
    assert {f"corosync-tw-{tool}" for tool in tools} <= quoted_names(page)
    pages = {path.name for path in PAGES if path.name.startswith("corosync-tw-")}
    assert pages == {f"corosync-tw-{tool}.8" for tool in tools}
    seen = []
    monkeypatch.setattr(
        argparse.ArgumentParser, "parse_args", lambda parser, _: seen.append(parser) or sys.exit()
    )
    with pytest.raises(SystemExit):
        main.main([])
    check_page(page, parser_options(seen[0]))


# Deviations


def test_the_page_of_deviations_has_what_the_document_has(monkeypatch, tmp_path, installed):
    monkeypatch.syspath_prepend(MAN.parent / "ci")
    deviations = import_module("deviations_page")
    source = deviations.SOURCE.read_text(encoding="utf-8")
    page = tmp_path / DEVIATIONS
    page.write_text(deviations.page(source), encoding="utf-8")
    assert said_of(page, installed) == ""
    shown = subprocess.run(
        ["mandoc", "-Tutf8", page], capture_output=True, text=True, check=True
    ).stdout
    # Bold and underlined letters are overstruck.
    words = re.findall(r"\w+", re.sub(".\b", "", shown))
    missing = set(re.findall(r"\w+", source.partition("\n\n")[2])) - set(words)
    titles = {word for word in missing if word.upper() in words}
    assert missing - titles == set(), "ci/deviations_page.py loses words"
