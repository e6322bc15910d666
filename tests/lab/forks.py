"""
Programs of ours as forks of this process, which has imported what they need.

Each is a process as one that was started anew would be; but in an emulated guest Python takes ten
seconds to import a daemon, and only once does so here.
"""

import multiprocessing
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Self

from twisted.scripts import twistd

from corosync_tw.cli.main import main as run_tool
from tests.interop.nodes import OurNode

for _name in ("cli.doctor", "cli.explain", "cli.fplay", "daemon.engine", "daemon.startup"):
    import_module(f"corosync_tw.{_name}")

_FORK = multiprocessing.get_context("fork")


class Fork:
    """A function that runs in a process of its own, its output in a file."""

    def __init__(self, run: Callable[[], None], argv: Sequence[str], log: Path, cwd: Path) -> None:
        assert "twisted.internet.reactor" not in sys.modules, "forks would share its descriptors"
        self.log = log
        self._child = _FORK.Process(target=_enter, args=(run, argv, log, cwd))
        self._child.start()

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def exit_status(self) -> int | None:
        """Exit code, negative signal number, or None while it runs."""
        return self._child.exitcode

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def wait(self, timeout_s: float) -> int | None:
        self._child.join(timeout_s)
        return self._child.exitcode

    def kill(self) -> None:
        """SIGKILL, and reap."""
        self._child.kill()
        self._child.join()

    @classmethod
    def tool(cls, argv: Sequence[str], log: Path) -> Self:
        """Run ``corosync-tw``."""
        return cls(run_tool, ["corosync-tw", *argv], log, log.parent)


def _enter(run: Callable[[], None], argv: Sequence[str], log: Path, cwd: Path) -> None:
    os.setsid()
    os.chdir(cwd)
    with log.open("ab") as out:
        os.dup2(out.fileno(), 1)
        os.dup2(out.fileno(), 2)
    sys.argv = list(argv)
    run()


class Guest:
    """Stands for a machine of ``netbed``: this one."""

    def enter(self, argv: Sequence[str]) -> list[str]:
        return list(argv)


class ForkedNode(OurNode):
    """A daemon of ours on this machine; C clients find only one of those on a machine."""

    def __init__(self, nodeid: int, workdir: Path) -> None:
        super().__init__(Guest(), nodeid, workdir)

    def start(self) -> None:
        assert self.process is None or self.process.exit_status is not None
        self.process = Fork(twistd.run, self.argv(), self.log, self.workdir)
