"""
Stock's quorum decisions, taken from corosync-vqsim: its votequorum is that of the daemon.

It prints who is quorate after a command. What each of its nodes is told and answers comes from a
library that is loaded into it (clients/vqsim_trace.c).

What vqsim does in its own way, from its source (vqsim/vqmain.c, vqsim_vq_engine.c of 3.1.7):
synchronization has no barriers, a node activates 10 ms after it is given a partition, before it has
heard from the others; a path of a configuration is at most seven bytes long; ``down`` reads one
node alone and kills it, so that nobody ever says that he leaves; nodes that end within a moment of
each other are not all noticed; all nodes have one file ev_tracking, and find 0 in it, since 3.1.7
closes it before it writes.
"""

import os
import re
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.interop.netbed import require
from tests.interop.nodes import CLIENTS, built

PROMPT = b"#vqsim> "
ANSWER_S_MAX = 10.0
QUIET_S = 0.025
POLL_S = 0.01
STEP_S_MAX = 5.0
END_OF_STATES = b"#autofence: "
STATE = re.compile(
    r"\d+:(\d+): q=(\d) ring=\[[0-9a-f]+\.[0-9a-f]+\] nodes=\[([\d ]*)\]$", re.MULTILINE
)


# By nodeid: whether quorate, and with whom.
Shown = dict[int, tuple[bool, tuple[int, ...]]]


@dataclass(frozen=True, slots=True)
class Event:
    """A line of the trace; ``rest`` are its words behind the kind."""

    at_ns: int
    kind: str
    rest: str


@dataclass(slots=True)
class Run:
    """
    What a run of vqsim said.

    :ivar shown: at the start and after each step.
    :ivar traces: by process, all that happened in a node.
    """

    shown: list[Shown]
    traces: dict[int, list[Event]]


def tracer() -> Path:
    """Compile the library that writes the trace."""
    require("corosync-vqsim")
    return built(CLIENTS / "vqsim_trace.c", shared=True)


class VqSim:
    """One vqsim under way."""

    def __init__(self, conf: str, workdir: Path, library: Path) -> None:
        workdir.mkdir(parents=True, exist_ok=True)
        (workdir / "state").mkdir(exist_ok=True)
        (workdir / "c.conf").write_text(conf)
        self._trace = workdir / "trace"
        self._trace.write_bytes(b"")
        self._out = workdir / "out"
        environment = {**os.environ, "LD_PRELOAD": str(library), "VQSIM_TRACE": str(self._trace)}
        with self._out.open("wb") as out:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "corosync-vqsim", "-c", "c.conf"],
                cwd=workdir,
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=environment,
            )
        self._await("a prompt", lambda output: PROMPT in output)
        self.settle()

    def command(self, text: str) -> None:
        """Give a command; ``settle`` waits for what comes of it."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{text}\n".encode())
        self._process.stdin.flush()

    def settle(self) -> None:
        """Wait until nothing happens in any node."""
        end = time.monotonic() + STEP_S_MAX
        sizes: tuple[int, ...] = ()
        while time.monotonic() < end:
            now = tuple(path.stat().st_size for path in (self._trace, self._out))
            if now == sizes:
                return
            sizes = now
            time.sleep(QUIET_S)

    def close(self) -> None:
        """End it and its nodes."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(STEP_S_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def events(self) -> dict[int, list[Event]]:
        """Read the trace, by process."""
        traces: dict[int, list[Event]] = {}
        for line in self._trace.read_text().splitlines():
            pid, at_ns, kind, rest = line.split(" ", 3)
            traces.setdefault(int(pid), []).append(Event(int(at_ns), kind, rest))
        return traces

    def show(self) -> Shown:
        """Tell by nodeid who is quorate, and with whom."""
        begin = len(self._output())
        self.command("show")
        self._await("the states", lambda output: END_OF_STATES in output[begin:])
        text = self._output()[begin:].partition(END_OF_STATES)[0].decode(errors="replace")
        return {
            int(nodeid): (quorate == "1", tuple(map(int, members.split())))
            for nodeid, quorate, members in STATE.findall(text)
        }

    def _output(self) -> bytes:
        return self._out.read_bytes()

    def _await(self, what: str, condition: Callable[[bytes], bool]) -> None:
        end = time.monotonic() + ANSWER_S_MAX
        while not condition(self._output()):
            if self._process.poll() is not None or time.monotonic() > end:
                output = self._output().decode(errors="replace")
                raise AssertionError(f"vqsim does not give {what}:\n{output}")
            time.sleep(POLL_S)


def run(
    conf: str, steps: list[str], partitions: list[list[list[int]]], workdir: Path, library: Path
) -> Run:
    """
    Run a story from its beginning.

    :param partitions: at the start and after each step.
    """
    sim = VqSim(conf, workdir, library)
    try:
        shown = [_show_settled(sim, partitions[0])]
        for step, parts in zip(steps, partitions[1:], strict=True):
            word, _, argument = step.partition(" ")
            if word == "wait":
                time.sleep(int(argument) / 1000)
            else:
                sim.command(step)
            shown.append(_show_settled(sim, parts))
    finally:
        sim.close()
    return Run(shown, sim.events())


def _show_settled(sim: VqSim, parts: list[list[int]]) -> Shown:
    """Show the states once all nodes are in their partitions; a busy machine takes a while."""
    end = time.monotonic() + STEP_S_MAX
    wanted = {nodeid: set(part) for part in parts for nodeid in part}
    while True:
        sim.settle()
        shown = sim.show()
        if {nodeid: set(state[1]) for nodeid, state in shown.items()} == wanted:
            return shown
        assert time.monotonic() < end, f"vqsim does not come to {parts}: {shown}"
