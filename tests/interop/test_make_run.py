"""The demonstration of ``make run``, shortened: three daemons, one killed and started again."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TIME_LIMIT_S = 120


@pytest.fixture
def tmp_path():
    """A directory whose name is short enough for sockets, as the demonstration's own is."""
    with tempfile.TemporaryDirectory(prefix="run-") as path:
        yield Path(path)


@pytest.fixture
def demo(tmp_path):
    started = []
    # A shell starts jobs in its background with SIGINT ignored, and what is ignored is inherited.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def start(*args):
        process = subprocess.Popen(
            [sys.executable, "-m", "corosync_tw.cli.demo", "--phase-seconds", "1", *args],
            cwd=ROOT,
            env={**os.environ, "TMPDIR": str(tmp_path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()
    signal.signal(signal.SIGINT, before)


def until(process, text):
    said = []
    for line in process.stdout:
        if text in line:
            return
        said.append(line)
    pytest.fail(f"{text!r} was never said, but\n{''.join(said)}")


def test_the_nodes_that_stayed_heard_the_same_and_nothing_is_left(demo, tmp_path):
    text = tmp_path / "text"
    text.write_text("a line\n\nanother line\n" * 50)
    process = demo("--file", str(text))
    said, _ = process.communicate(timeout=TIME_LIMIT_S)
    assert process.returncode == 0, said
    assert "OK: same sequence on the nodes that stayed" in said
    rows = [line.split("  ") for line in said.splitlines() if line.startswith("node")][1:]
    sequences = [[cell.strip() for cell in row if cell.strip()][-2:] for row in rows]
    assert sequences[0] == sequences[1]
    assert sequences[2][1] == sequences[0][1]
    assert "\x1b" not in said
    assert [path.name for path in tmp_path.iterdir()] == ["text"]


def test_ctrl_c_leaves_nothing_behind(demo, tmp_path):
    process = demo()
    until(process, "all three send")
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=TIME_LIMIT_S)
    assert process.returncode == 130
    assert list(tmp_path.iterdir()) == []


def test_a_cluster_that_stays_can_be_talked_to(demo, tmp_path):
    process = demo("--stay")
    until(process, "The cluster stays up")
    commands = [process.stdout.readline().split() for _ in range(6)]
    tool = [sys.executable, "-m", "corosync_tw.cli.main"]
    for command in commands[:3]:
        shown = subprocess.run(
            [*tool, *command[1:]], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert "Members         1 2 3" in shown.stdout
        assert "Quorate         yes" in shown.stdout
    talk = subprocess.run(
        [*tool, *commands[4][1:]],
        cwd=ROOT, input="hello\n", capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert talk.stdout.endswith("hello\n")
    assert talk.stdout.startswith("2:")
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=TIME_LIMIT_S)
    assert list(tmp_path.iterdir()) == []
