"""The yardstick: sockets alone on a bed of their own, with GSO, GRO and as many copies as ours."""

import contextlib
import tempfile
import time
from pathlib import Path

from bench.asked import CLIENTS, ClientError
from bench.goals import BARE
from tests.interop.netbed import NetBed, Process
from tests.interop.nodes import built

SOURCE = CLIENTS / "bare_sockets.c"
IP_UDP_LEN_BYTES = 28
GROUP = "239.192.77.6"
PORTS = {f"{BARE} udpu": 6001, f"{BARE} udp": 6002}
READY_S = 0.1


class Bare:
    """A sender's machine and receivers on the others."""

    def __init__(self, bed, mtu, receivers):
        self._sender, *self._others = bed.machines.values()
        self._segment = mtu - IP_UDP_LEN_BYTES
        self._receivers = receivers

    def messages_per_s(self, name, size, seconds):
        """Send for so long; messages a second that all receivers had."""
        to = [GROUP] if PORTS[name] == PORTS[f"{BARE} udp"] else [m.address for m in self._others]
        words = (PORTS[name], size, seconds, self._segment, len(self._others), *to)
        argv = [str(built(SOURCE)), "send", *map(str, words)]
        outcome = self._sender.run(*argv, check=False)
        if outcome.returncode:
            said = "".join(r.log.read_text() for r in self._receivers)
            raise ClientError(f"{name}: {outcome.stderr}{said}")
        messages, took = outcome.stdout.split()
        return float(messages) / float(took)


@contextlib.contextmanager
def receiving(nodes, mtu):
    """Bring up the bed with its receivers."""
    with (
        tempfile.TemporaryDirectory(prefix="corosync-tw-bench-") as directory,
        NetBed(range(1, nodes + 1), mtu) as bed,
        contextlib.ExitStack() as stack,
    ):
        receivers = []
        for machine in list(bed.machines.values())[1:]:
            for name, port in PORTS.items():
                joined = [GROUP, machine.address] if name == f"{BARE} udp" else []
                argv = [str(built(SOURCE)), "receive", str(port), *joined]
                log = Path(directory) / f"{machine.number}-{port}.log"
                process = Process(machine, argv, log, Path(directory))
                stack.callback(process.kill)
                receivers.append(process)
        time.sleep(READY_S)
        yield Bare(bed, mtu, receivers)
