"""The unit file is one that systemd understands, and says what the daemon keeps to."""

import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

from corosync_tw.daemon.exitcodes import ExitCode

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "conf" / "systemd" / "corosync-tw.service"


@pytest.fixture
def unit():
    parser = ConfigParser(interpolation=None, strict=True)
    parser.optionxform = str
    parser.read(UNIT)
    return parser


def test_systemd_understands_it(tmp_path):
    analyze = shutil.which("systemd-analyze")
    assert analyze, "systemd-analyze is missing: `make deps` installs it"
    programs = Path(sys.executable).parent
    text = UNIT.read_text()
    for program in ("twistd", "corosync-tw"):
        text = text.replace(f"={program} ", f"={programs / program} ")
    # The manual pages are not where man looks yet.
    lines = [line for line in text.splitlines() if not line.startswith("Documentation=")]
    (tmp_path / UNIT.name).write_text("\n".join(lines) + "\n")
    outcome = subprocess.run(
        [analyze, "verify", "--man=no", "--recursive-errors=no", str(tmp_path / UNIT.name)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (outcome.returncode, outcome.stdout + outcome.stderr) == (0, "")


def test_it_waits_for_the_first_ring_and_is_watched(unit):
    service = unit["Service"]
    assert service["Type"] == "notify"
    assert service["WatchdogSec"] == "30s"
    assert "corosync.service" in unit["Unit"]["Conflicts"]
    assert unit["Install"]["Alias"] == "corosync.service"


def test_the_exit_codes_that_a_restart_does_not_mend(unit):
    codes = {ExitCode(int(word)) for word in unit["Service"]["RestartPreventExitStatus"].split()}
    assert codes == {
        ExitCode.LOGCONFIGREAD,
        ExitCode.MAINCONFIGREAD,
        ExitCode.ACQUIRE_LOCK,
        ExitCode.ALREADY_RUNNING,
        ExitCode.KILLED,
    }
