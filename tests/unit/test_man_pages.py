"""The manual pages are free of faults and name every option."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from corosync_tw.cli.stock_tools import STOCK_TOOLS
from corosync_tw.daemon.options import Options

MAN = Path(__file__).resolve().parents[2] / "man"
PAGES = sorted(MAN.glob("*.[1-9]"))
# Pages of other packages need not be installed where these are checked.
ELSEWHERE = ("referenced manual not found", "mandoc.db")


def text_of(page):
    """The page with its dashes as they are typed."""
    return re.sub(r"\bFl -", "--", (MAN / page).read_text())


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_mandoc_finds_no_fault(path):
    mandoc = shutil.which("mandoc")
    assert mandoc, "mandoc is missing: `make deps` installs it"
    command = [mandoc, "-Tlint", "-Wstyle", str(path)]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    said = (outcome.stdout + outcome.stderr).splitlines()
    assert [line for line in said if not any(phrase in line for phrase in ELSEWHERE)] == []


def test_the_daemons_options_are_described():
    text = text_of("corosync_tw.8")
    options = [row[0] for row in (*Options.optParameters, *Options.optFlags)]
    assert [name for name in options if f"--{name}" not in text] == []


def test_the_tools_are_described():
    for page in ("corosync-tw.8", "corosync-tw-tools.8"):
        words = set(re.findall(r"[\w-]+", text_of(page)))
        assert set(STOCK_TOOLS) <= words
