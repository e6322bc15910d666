"""
A virtual machine with a kernel of its own, in which one Python module runs.

Its processor is emulated, so that it runs wherever qemu does, some ten times slower than its host.
Its clock counts instructions: on a busy host a guest takes longer, and notices nothing of it.
It has the host's files, and so this Python, its environment and this checkout; what it writes is
gone at its end, but for one directory that has the same path inside and outside.
``python -m tests.lab.machine MODULE ARGUMENT...`` runs a module by hand.
"""

import compileall
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.lab.kernel import LabError, prepared, require, search_path

ROOT: Final = Path(__file__).resolve().parents[2]
# 4 ns for each instruction, which a host of today keeps up with.
_CLOCK: Final = "shift=2"
MEMORY_MIB: Final = 1024
BOOT_TIMEOUT_S: Final = 300.0
# How long a guest that has told its exit status may take to switch off.
OFF_TIMEOUT_S: Final = 5.0
_POLL_S: Final = 0.1
_TAIL_LINES: Final = 30
_COMMAND_LINE: Final = "console=ttyS0 quiet panic=-1 mitigations=off tsc=reliable"


@dataclass(frozen=True)
class Outcome:
    """
    :ivar output: what the module wrote on stdout and stderr.
    :ivar boot_s: until the module began; ``total_s`` until the machine was gone.
    """

    exit_status: int
    output: str
    boot_s: float
    total_s: float


def run(
    module: str,
    *arguments: str,
    results: Path,
    timeout_s: float,
    boot_timeout_s: float = BOOT_TIMEOUT_S,
    memory_mib: int = MEMORY_MIB,
    environment: Mapping[str, str] | None = None,
    progress: Callable[[str], None] = print,
) -> Outcome:
    """
    Boot a machine, run a module in it as root, and wait until both are over.

    :param results: a directory that the guest may write to, and works in; ``machine`` in it is
        ours. It can hold no sockets and no shared memory: copy there what shall stay.
    :param timeout_s: that the module may take; the boot comes on top.
    :param environment: beside PATH, CI and what begins with COROSYNC_TW.
    :param progress: is called with each line that the module writes.
    :raises LabError: the host cannot carry it, or it did not come to an end in time.
    """
    require("qemu-system-x86_64", "setpriv")
    kernel = prepared()
    for directory in ("corosync_tw", "tests/interop", "tests/lab"):
        # What a guest compiles is gone at its end.
        compileall.compile_dir(ROOT / directory, quiet=1)
    machine = results / "machine"
    machine.mkdir()
    (machine / "path").write_text(str(results))
    (machine / "job").write_text(_job(module, arguments, results, environment or {}))
    command = [
        *("setpriv", "--pdeathsig", "KILL", "--", "qemu-system-x86_64"),
        *("-nodefaults", "-display", "none", "-no-reboot", "-nic", "none"),
        *("-accel", "tcg,thread=single", "-icount", _CLOCK, "-cpu", "max"),
        *("-m", str(memory_mib)),
        *("-kernel", str(kernel.image), "-initrd", str(kernel.initramfs)),
        *("-append", _COMMAND_LINE, "-serial", f"file:{machine / 'console'}"),
        *_share("host", Path("/"), ",readonly=on"),
        *_share("results", results, ""),
    ]
    with (machine / "qemu").open("wb") as said:
        qemu = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PATH": search_path()},
        )
    try:
        return _Watch(qemu, machine, progress).until_over(boot_timeout_s, timeout_s)
    finally:
        _end(qemu)


def _share(tag: str, path: Path, options: str) -> tuple[str, str]:
    escaped = str(path).replace(",", ",,")
    shared = f"local,path={escaped},mount_tag={tag},security_model=none,multidevs=remap{options}"
    return "-virtfs", shared


def _job(
    module: str, arguments: Sequence[str], results: Path, environment: Mapping[str, str]
) -> str:
    """Write what the guest's shell runs."""
    kept = {name: text for name, text in os.environ.items() if name.startswith("COROSYNC_TW")}
    words = {
        **kept,
        "CI": os.environ.get("CI", ""),
        "LANG": "C.UTF-8",
        "PATH": search_path(),
        "PYTHONPATH": str(ROOT),
        **environment,
    }
    settings = " ".join(f"{name}={shlex.quote(text)}" for name, text in words.items())
    command = shlex.join([sys.executable, "-u", "-m", module, *arguments])
    return (
        f"ip link set lo up\ncd {shlex.quote(str(results))}\n"
        f"exec env -i {settings} {command} </dev/null\n"
    )


def _end(qemu: subprocess.Popen[bytes]) -> None:
    if qemu.poll() is None:
        qemu.terminate()
    try:
        qemu.wait(OFF_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        qemu.kill()
        qemu.wait()


class _Watch:
    """Waits for what a guest writes into its directory."""

    def __init__(
        self, qemu: subprocess.Popen[bytes], machine: Path, progress: Callable[[str], None]
    ) -> None:
        self._qemu = qemu
        self._machine = machine
        self._progress = progress
        self._began_s = time.monotonic()
        self._told = 0

    def until_over(self, boot_timeout_s: float, timeout_s: float) -> Outcome:
        self._wait("started", boot_timeout_s, "did not come up")
        boot_s = self._elapsed_s()
        self._wait("exit", timeout_s, "did not come to an end")
        status = int((self._machine / "exit").read_text())
        self._tell(last=True)
        try:
            self._qemu.wait(OFF_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._progress("the guest does not switch itself off: qemu is ended")
        return Outcome(status, self._text("output"), boot_s, self._elapsed_s())

    def _elapsed_s(self) -> float:
        return time.monotonic() - self._began_s

    def _wait(self, name: str, timeout_s: float, failure: str) -> None:
        until_s = self._elapsed_s() + timeout_s
        while not (self._machine / name).exists():
            self._tell()
            ended = self._qemu.poll() is not None
            if ended and not (self._machine / name).exists():
                raise LabError(self._failure(f"{failure}: qemu ended with {self._qemu.poll()}"))
            if self._elapsed_s() > until_s:
                raise LabError(self._failure(f"{failure} within {timeout_s:.0f} s"))
            time.sleep(_POLL_S)

    def _tell(self, *, last: bool = False) -> None:
        """Pass on the lines that are whole."""
        lines = self._text("output").split("\n")
        whole = lines if last and lines[-1] else lines[:-1]
        for line in whole[self._told :]:
            self._progress(line)
        self._told = len(whole)

    def _text(self, name: str) -> str:
        path = self._machine / name
        return path.read_text(errors="replace") if path.exists() else ""

    def _failure(self, what: str) -> str:
        tails = []
        for name in ("qemu", "console", "output"):
            lines = self._text(name).strip().splitlines()[-_TAIL_LINES:]
            if lines:
                tails.append(f"--- last of {name}\n" + "\n".join(lines))
        return "\n".join([f"the guest {what}", *tails])


def main(arguments: Sequence[str]) -> int:
    """Run a module by hand; Ctrl-C ends the machine."""
    if not arguments:
        print("usage: python -m tests.lab.machine MODULE ARGUMENT...", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    results = Path(tempfile.mkdtemp(prefix="lab-"))
    try:
        outcome = run(arguments[0], *arguments[1:], results=results, timeout_s=3600.0)
    except LabError as error:
        print(error, file=sys.stderr)
        return 1
    print(
        f"exit status {outcome.exit_status}; up after {outcome.boot_s:.1f} s, all"
        f" {outcome.total_s:.1f} s; results are in {results}",
        file=sys.stderr,
    )
    return outcome.exit_status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
