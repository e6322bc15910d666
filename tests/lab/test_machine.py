"""What becomes of a guest, told by a program that stands for qemu."""

import os

import pytest

from tests.lab import machine
from tests.lab.kernel import Kernel, LabError
from tests.lab.machine import run


@pytest.fixture
def qemu(tmp_path, monkeypatch):
    """Have a script stand for qemu; it finds the guest's directory in $machine."""
    results = tmp_path / "results"
    results.mkdir()

    def stand_in(script):
        programs = tmp_path / "programs"
        programs.mkdir()
        program = programs / "qemu-system-x86_64"
        program.write_text(f"#!/bin/sh\nmachine={results}/machine\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
        monkeypatch.setattr(machine, "prepared", lambda: Kernel(tmp_path / "a", tmp_path / "b"))
        return results

    return stand_in


def test_output_and_exit_status_are_passed_on(qemu):
    results = qemu(
        "touch $machine/started; printf 'one\\ntwo' > $machine/output; echo 3 > $machine/exit"
    )
    lines = []
    outcome = run("a.module", "a word", results=results, timeout_s=5.0, progress=lines.append)
    assert (outcome.exit_status, outcome.output, lines) == (3, "one\ntwo", ["one", "two"])
    job = (results / "machine" / "job").read_text()
    assert job.rstrip().endswith("-u -m a.module 'a word' </dev/null")


def test_a_guest_that_does_not_come_up_is_told_by_its_console(qemu):
    results = qemu("echo Kernel panic > $machine/console; echo no room >&2; exit 1")
    with pytest.raises(LabError) as caught:
        run("a.module", results=results, timeout_s=5.0)
    text = str(caught.value)
    assert text.startswith("the guest did not come up: qemu ended with 1")
    assert "--- last of console\nKernel panic" in text
    assert "--- last of qemu\nno room" in text


@pytest.mark.parametrize(
    ("script", "what"),
    [("", "did not come up within 0 s"), ("touch $machine/started;", "did not come to an end")],
)
def test_a_guest_that_takes_too_long_is_ended(qemu, script, what):
    results = qemu(f"echo $$ > $machine/pid; {script} exec sleep 600")
    with pytest.raises(LabError, match=what):
        run("a.module", results=results, timeout_s=0.3, boot_timeout_s=0.3)
    pid = int((results / "machine" / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_guest_that_does_not_switch_itself_off_is_ended(qemu, monkeypatch):
    monkeypatch.setattr(machine, "OFF_TIMEOUT_S", 0.2)
    results = qemu(
        "echo $$ > $machine/pid; touch $machine/started; echo 0 > $machine/exit; exec sleep 600"
    )
    lines = []
    assert run("a.module", results=results, timeout_s=5.0, progress=lines.append).exit_status == 0
    assert lines == ["the guest does not switch itself off: qemu is ended"]
