"""
Attack the server of C clients with hostile operations, a well-behaved client beside.

    python -m tests.soak.fuzz_ipc [--operations N] [--seed S]
        [--server echo|echo-socket|node|COMMAND] [--services NAMES] [--stall-ms MS]

The server and its clients live on a machine of their own (see tests.interop.netbed; needs root).
``echo`` is the server with one small service, ``node`` our daemon; a command of your own is started
there and must serve ``--services``. Ends with 1 when the server ended, wrote a traceback, stalled
the well-behaved client longer than ``--stall-ms`` (default 100) and than the host stalls a sleeping
program, or did not come back to the descriptors and the shared memory it began with.
"""

import argparse
import contextlib
import json
import os
import select
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.interop.netbed import NetBed, Process, wait_until
from tests.interop.nodes import Cluster
from tests.soak.ipc_hostility import LITTER, Hostility
from tests.unit.ipc.qb.raw_client import RawClient

ROOT = Path(__file__).resolve().parents[2]
NODE_SERVICES = "cmap,cfg,cpg,quorum,votequorum"
# A request without effect, by service: its id and the length of its body.
PROBES = {"echo": (1, 48), "quorum": (0, 0)}
PROBE_INTERVAL_S = 0.005
SETTLE_S = 20.0
REPORT_INTERVAL_S = 10.0


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Attack the server of C clients.")
    parser.add_argument("--operations", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "little"))
    parser.add_argument("--server", default="echo")
    parser.add_argument("--services", default="")
    parser.add_argument("--stall-ms", type=float, default=100.0)
    parser.add_argument("--only", default="", help="comma-separated operations, for a closer look")
    parser.add_argument("--inside", choices=["attack", "probe"], help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.inside == "attack":
        return attack(options)
    if options.inside == "probe":
        return probe(options.services.split(",")[0])
    print(f"fuzz_ipc: --operations {options.operations} --seed {options.seed}", flush=True)
    with (
        tempfile.TemporaryDirectory(prefix="fuzz-ipc-") as workdir,
        NetBed([1]) as bed,
        serving(options, bed, Path(workdir)) as (process, services),
    ):
        return campaign(options, bed.machines[1], process, services)


@contextlib.contextmanager
def serving(options, bed, workdir):
    """Start what ``--server`` names; give its process and the services to attack."""
    machine = bed.machines[1]
    if options.server == "node":
        with Cluster(bed.machines, [], [1], workdir) as cluster:
            cluster.start()
            cluster.wait_quorate()
            yield cluster.nodes[1].running, options.services or NODE_SERVICES
        return
    command = shlex.split(options.server)
    if options.server in {"echo", "echo-socket"}:
        kind = "socket" if options.server == "echo-socket" else "shm"
        command = [sys.executable, "-m", "tests.interop.qb_echo_server", "--type", kind, "--calm"]
    process = Process(machine, command, workdir / "server.log", ROOT)
    try:
        yield process, options.services or "echo"
    finally:
        process.kill()


def campaign(options, machine, process, services):
    """Attack, then look whether anything is left of it."""
    probed = next((name for name in PROBES if name in services.split(",")), None)
    assert probed is not None, f"one of the services must be of {', '.join(PROBES)}"
    wait_until("the server serves", lambda: can_connect(machine, probed), 30)
    start = Level(machine, process)
    prober = inside(machine, options, "probe", probed)
    began = time.monotonic()
    attacker = inside(machine, options, "attack", services)
    for line in attacker.stdout:
        print(line, end="", flush=True)
    status = attacker.wait()
    elapsed_s = time.monotonic() - began
    prober.send_signal(signal.SIGTERM)
    told, _ = prober.communicate(timeout=30)
    figures = json.loads(told.splitlines()[-1]) if told.strip() else {}
    faults = [] if status == 0 else [f"the attacker ended with {status}"]
    faults += judge(options, machine, process, start, figures)
    print(
        f"{options.operations} operations in {elapsed_s:.0f} s,"
        f" {options.operations / elapsed_s:.0f}/s; the client beside: {figures};"
        f" memory {start.memory_kib} -> {Level(machine, process).memory_kib} KiB"
        if process.exit_status is None
        else "the server is gone"
    )
    for fault in faults:
        print(f"FAULT: {fault}")
    if faults:
        print(process.log.read_text(errors="replace")[-4000:])
    print("failed" if faults else "passed")
    return 1 if faults else 0


def judge(options, machine, process, start, figures):
    """List what went wrong."""
    if process.exit_status is not None:
        return [f"the server ended with {process.exit_status}"]
    faults = []
    try:
        wait_until("everything is given back", lambda: Level(machine, process) <= start, SETTLE_S)
    except AssertionError:
        level = Level(machine, process)
        faults.append(
            f"descriptors {start.descriptors} -> {level.descriptors},"
            f" shared memory {start.shm} -> {level.shm}: {level.left}"
        )
    if "Traceback" in process.log.read_text(errors="replace"):
        faults.append("the server wrote a traceback")
    if not figures.get("answers"):
        faults.append("the client beside was not served")
    elif "stall_ms" not in figures:
        faults.append("the client beside was left alone")
    elif figures["stall_ms"] > options.stall_ms + figures["host_delay_ms"]:
        faults.append(f"the client beside waited {figures['stall_ms']} ms")
    return faults


class Level:
    """What the server holds."""

    def __init__(self, machine, process):
        self.descriptors = len(os.listdir(f"/proc/{process.pid}/fd"))
        shm = Path("/proc", str(machine.pid), "root", "dev", "shm")
        # Root can litter while the server removes: that is no fault of the server.
        self.left = [
            [file.name for file in directory.iterdir()]
            for directory in shm.glob(f"qb-{process.pid}-*")
        ]
        self.shm = sum(names != [LITTER] for names in self.left)
        status = Path(f"/proc/{process.pid}/status").read_text()
        self.memory_kib = int(status.split("RssAnon:")[1].split()[0])

    def __le__(self, other):
        return self.descriptors <= other.descriptors and self.shm <= other.shm


def inside(machine, options, part, services):
    command = [sys.executable, "-m", "tests.soak.fuzz_ipc", "--inside", part]
    command += ["--services", services, "--seed", str(options.seed)]
    command += ["--operations", str(options.operations), "--only", options.only]
    return subprocess.Popen(machine.enter(command), stdout=subprocess.PIPE, text=True, cwd=ROOT)


def can_connect(machine, service):
    names = machine.run("grep", "-c", f"@{service}@*$", "/proc/net/unix", check=False)
    return names.stdout.strip() not in {"", "0"}


def attack(options):
    """Inside the machine: perform the operations."""
    hostility = Hostility(options.seed, options.services.split(","), options.only)
    reported = time.monotonic()
    for number in range(options.operations):
        hostility.step()
        if time.monotonic() - reported > REPORT_INTERVAL_S:
            reported = time.monotonic()
            print(f"{number} operations, {hostility.dropped} dropped", flush=True)
    hostility.close()
    print(f"performed: {dict(hostility.tally.most_common())}")
    print(f"refused: {dict(hostility.refused)}", flush=True)
    return 0


def probe(service):
    """
    Inside the machine: be a good client, and measure what it is like.

    The delay of our own sleeping beside tells how much of a stall is the host's.
    """
    ending = []
    signal.signal(signal.SIGTERM, lambda *_: ending.append(1))
    client = RawClient((b"\0" + service.encode()).ljust(108, b"\0"))
    client.begin()
    select.select([client.sock], [], [], 10)
    client.finish()
    message_id, length = PROBES[service]
    latencies, delays = [], []
    while not ending:
        before = time.monotonic()
        time.sleep(PROBE_INTERVAL_S)
        delays.append(time.monotonic() - before - PROBE_INTERVAL_S)
        before = time.monotonic()
        client.send(message_id, bytes(length))
        while client.response() is None:
            if client.hung_up() or time.monotonic() - before > SETTLE_S:
                print(json.dumps({"answers": len(latencies), "hung_up": client.hung_up()}))
                return 1
            time.sleep(0.0002)
        latencies.append(time.monotonic() - before)
    latencies.sort()
    delays.sort()
    figures = {
        "answers": len(latencies),
        "p50_ms": round(latencies[len(latencies) // 2] * 1e3, 2),
        "p99_ms": round(latencies[len(latencies) * 99 // 100] * 1e3, 2),
        "stall_ms": round(latencies[-1] * 1e3, 1),
        "host_delay_ms": round(delays[-1] * 1e3, 1),
    }
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
