"""
A network of name spaces on one host: switches and any number of machines with a cable to each.

Every machine has its own network and mount name space (tmpfs on /run and /dev/shm), so that
several daemons and their clients live side by side. The name spaces have no names: they belong to a
holder process each, which at its end kills what still runs in them, also when the tests are killed.
Nothing is made in the host's own network.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Self

LOSS_TABLE = "cti"


def address_of(network: int, machine: int, *, ipv6: bool = False) -> str:
    """Give a machine's address on a network."""
    return f"fd77:{5 + network}::{machine}" if ipv6 else f"10.77.{5 + network}.{machine}"


class Fault(NamedTuple):
    """
    What a switch loses.

    :ivar network: which switch.
    :ivar sender: machine whose datagrams are lost, 0 for any; likewise ``receiver``.
    :ivar percent: share that is lost.
    :ivar ip_only: address resolution passes, without which one direction takes the other along.
    """

    network: int
    sender: int = 0
    receiver: int = 0
    percent: int = 100
    ip_only: bool = False

    def rule(self) -> str:
        """Give the words of nft's rule."""
        words = [f'iifname "cti{self.network}p{self.sender or "*"}"']
        if self.receiver:
            words.append(f'oifname "cti{self.network}p{self.receiver}"')
        if self.ip_only:
            words.append("ether type ip")
        if self.percent < 100:
            words.append(f"numgen random mod 100 < {self.percent}")
        return " ".join([*words, "counter drop"])


_PRIVATE = (
    "mount --make-rprivate / && mount -t tmpfs tmpfs /run "
    "&& mount -t tmpfs -o mode=1777,size=512m tmpfs /dev/shm"
)
# Daemons that leave their parent, as Pacemaker's do, end with the machine.
_HOLD = (
    "echo up; cat >/dev/null; space=$(readlink /proc/self/ns/mnt | tr -dc 0-9); "
    'for link in $(find /proc/[0-9]*/ns/mnt -lname "*$space*" 2>/dev/null); do '
    "pid=${link#/proc/}; pid=${pid%/ns/mnt}; "
    '[ "$pid" = $$ ] || kill -9 "$pid" 2>/dev/null; done; true'
)

_FILESYSTEM_SOCKETS = """
mkdir -p /run/kept /run/etc /run/etc_work /run/tmp /run/tmp_work
chmod 1777 /run/tmp
mount --bind "$1" /run/kept
mount -t overlay -o lowerdir=/etc,upperdir=/run/etc,workdir=/run/etc_work overlay /etc
mount -t overlay -o lowerdir=/tmp,upperdir=/run/tmp,workdir=/run/tmp_work overlay /tmp
mount --bind /run/kept "$1"
rm -rf /tmp/cmap /tmp/cfg /tmp/cpg /tmp/quorum /tmp/votequorum
mkdir -p /etc/libqb && : > /etc/libqb/force-filesystem-sockets
"""


class BedError(Exception):
    """The host cannot carry the bed; the text says what is missing and how to get it."""


def require(*programs: str) -> None:
    """Raise BedError when a program is missing: interop tests never pass without their peers."""
    missing = [name for name in programs if shutil.which(name, path=_search_path()) is None]
    if missing:
        raise BedError(
            f"missing programs: {' '.join(missing)}; `make deps` installs them (needs root or sudo)"
        )
    if os.geteuid() != 0:
        raise BedError("network name spaces need root: run `sudo make test-interop`")


def _search_path() -> str:
    return os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"


def wait_until(
    what: str, condition: Callable[[], bool], timeout_s: float, poll_s: float = 0.05
) -> float:
    """
    Wait for a condition of a real daemon and give the seconds it took.

    Raises AssertionError that names ``what`` when the time is over.
    """
    began = time.monotonic()
    while not condition():
        waited = time.monotonic() - began
        if waited > timeout_s:
            raise AssertionError(f"not within {timeout_s} s: {what}")
        time.sleep(poll_s)
    return time.monotonic() - began


class NameSpace:
    """A network and mount name space, alive as long as its holder process."""

    def __init__(self) -> None:
        self._holder = subprocess.Popen(
            [
                "unshare",
                "-m",
                "-n",
                "--",
                "sh",
                "-c",
                f"{_PRIVATE} && ip link set lo up && {{ {_HOLD}; }}",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PATH": _search_path()},
        )
        assert self._holder.stdout is not None
        if self._holder.stdout.readline() != b"up\n":
            raise BedError("cannot make a name space: root and CONFIG_NET_NS are needed")

    @property
    def pid(self) -> int:
        return self._holder.pid

    def enter(self, argv: Sequence[str]) -> list[str]:
        """Give the command that runs ``argv`` inside, under the pid it is started with."""
        return [
            "nsenter",
            "-t",
            str(self.pid),
            "-m",
            "-r",
            "-n",
            "--",
            "setpriv",
            "--pdeathsig",
            "KILL",
            "--",
            *argv,
        ]

    def run(
        self, *argv: str, check: bool = True, timeout_s: float = 30.0
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside and wait; raises BedError, unless unchecked, when it fails."""
        outcome = subprocess.run(
            self.enter(argv),
            check=False,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            env={**os.environ, "PATH": _search_path()},
        )
        if check and outcome.returncode:
            raise BedError(f"{' '.join(argv)} ended with {outcome.returncode}: {outcome.stderr}")
        return outcome

    def close(self) -> None:
        """End it and all that runs in it."""
        assert self._holder.stdin is not None
        self._holder.stdin.close()
        self._holder.wait()


class Machine(NameSpace):
    """
    A machine on the switches.

    :ivar number: 1 to 250; the last part of its addresses.
    :ivar addresses: one on each network, which is on eth0, eth1 and so on.
    """

    def __init__(
        self,
        switch: NameSpace,
        number: int,
        mtu_bytes: int = 1500,
        networks: int = 1,
        ipv6: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self.number = number
        self.addresses = [
            address_of(network, number, ipv6=network in ipv6) for network in range(networks)
        ]
        self.address = self.addresses[0]
        for network, address in enumerate(self.addresses):
            self._plug_in(switch, network, address, str(mtu_bytes))
        self.run("ip", "route", "add", "224.0.0.0/4", "dev", "eth0")

    def _plug_in(self, switch: NameSpace, network: int, address: str, mtu: str) -> None:
        port, eth = f"cti{network}p{self.number}", f"eth{network}"
        peer = ("peer", "name", eth, "netns", str(self.pid))
        switch.run("ip", "link", "add", port, "mtu", mtu, "type", "veth", *peer)
        switch.run("ip", "link", "set", port, "master", f"ctibr{network}", "up")
        if ":" in address:
            self.run("ip", "addr", "add", f"{address}/64", "dev", eth, "nodad")
        else:
            self.run("ip", "addr", "add", f"{address}/24", "dev", eth)
        self.run("ip", "link", "set", eth, "mtu", mtu, "up")

    def force_filesystem_sockets(self, kept: Path | None = None) -> None:
        """
        Have libqb's programs on this machine use sockets in the file system, of Debian's /tmp.

        What is in /etc and /tmp stays readable, but for sockets that somebody left; what is written
        there stays with this machine.

        :param kept: a directory that is shared with the host all the same.
        """
        self.run("sh", "-ec", _FILESYSTEM_SOCKETS, "sh", str(kept or "/run/kept"))

    def set_loss(self, percent: int) -> None:
        """Lose this share of the UDP datagrams that come in from the switch; 0 loses none."""
        self.run("nft", "delete", "table", "inet", LOSS_TABLE, check=False)
        if percent:
            self.run("nft", "add", "table", "inet", LOSS_TABLE)
            self.run(
                "nft",
                "add",
                "chain",
                "inet",
                LOSS_TABLE,
                "in",
                "{ type filter hook input priority 0; }",
            )
            rule = f"iifname eth0 meta l4proto udp numgen random mod 100 < {percent} counter drop"
            self.run("nft", "add", "rule", "inet", LOSS_TABLE, "in", *rule.split())

    def lost_datagrams(self) -> int:
        """Count what ``set_loss`` dropped since it was set."""
        text = self.run("nft", "list", "table", "inet", LOSS_TABLE).stdout
        return int(text.split("packets ")[1].split()[0])


class NetBed:
    """
    The switches and their machines; a context manager that takes everything down.

    :ivar networks: how many networks there are; all machines are on each.
    """

    def __init__(
        self,
        machines: Sequence[int],
        mtu_bytes: int = 1500,
        networks: int = 1,
        ipv6: Sequence[int] = (),
    ) -> None:
        """:param ipv6: networks whose addresses are IPv6's; the others have IPv4's."""
        require("unshare", "nsenter", "setpriv", "ip", "nft")
        self.networks = networks
        self._switch = NameSpace()
        for network in range(networks):
            bridge = f"ctibr{network}"
            self._switch.run("ip", "link", "add", bridge, "type", "bridge", "mcast_snooping", "0")
            self._switch.run("ip", "link", "set", bridge, "mtu", str(mtu_bytes), "up")
        self.machines = {
            number: Machine(self._switch, number, mtu_bytes, networks, ipv6) for number in machines
        }

    @property
    def switch(self) -> NameSpace:
        """Where all datagrams pass."""
        return self._switch

    def set_faults(self, *faults: Fault) -> None:
        """Have the switches lose what these say, and nothing else; none heals everything."""
        rules = "".join(f"add rule bridge {LOSS_TABLE} f {fault.rule()}\n" for fault in faults)
        self._switch.run(
            "sh",
            "-ec",
            'printf %s "$1" | nft -f -',
            "sh",
            f"add table bridge {LOSS_TABLE}\ndelete table bridge {LOSS_TABLE}\n"
            f"add table bridge {LOSS_TABLE}\n"
            f"add chain bridge {LOSS_TABLE} f {{ type filter hook forward priority 0; }}\n{rules}",
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for machine in self.machines.values():
            machine.close()
        self._switch.close()


class Process:
    """
    A program on a machine, its output in files.

    :ivar log: what it wrote on stdout and stderr.
    """

    def __init__(
        self,
        machine: Machine,
        argv: Sequence[str],
        log: Path,
        cwd: Path,
        env: dict[str, str] | None = None,
    ) -> None:
        self.machine = machine
        self.log = log
        with log.open("ab") as out:
            self._child = subprocess.Popen(
                machine.enter(argv),
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env={**os.environ, "PATH": _search_path(), **(env or {})},
            )

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def exit_status(self) -> int | None:
        """Exit code, negative signal number, or None while it runs."""
        return self._child.poll()

    def signal(self, number: signal.Signals) -> None:
        self._child.send_signal(number)

    def close_stdin(self) -> None:
        assert self._child.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._child.stdin.close()

    def write_line(self, text: str) -> None:
        assert self._child.stdin is not None
        self._child.stdin.write(text.encode() + b"\n")
        self._child.stdin.flush()

    def wait(self, timeout_s: float) -> int:
        return self._child.wait(timeout_s)

    def kill(self) -> None:
        """SIGKILL, also out of a SIGSTOP, and reap."""
        if self._child.poll() is None:
            self._child.kill()
        self._child.wait()
