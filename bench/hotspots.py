"""
``make bench ARGS=--profile``: where one daemon's time goes at full load.

py-spy samples the Python functions of our daemons; perf, where the host has it, samples the machine
code of any daemon, so that the kernel's and the compiled kernels' share is seen as well.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

from bench import figures as f
from bench.plan import OURS, SYSTEMS
from bench.ring import running
from bench.tables import aligned

SAMPLE_S = 4.0
# Each sample stops the daemon for a moment.
SAMPLES_PER_S = 200
PERF_SAMPLES_PER_S = 1500
LEAD_S = 0.3
TOP = 25
PERF_LEAST_PERCENT = 0.7
# A thread that does nothing.
WAITING = ("Condition.wait ", "wait (threading.py")


class NoProfiler(Exception):
    """There is nothing to sample with; the text says what would do."""


def report(name, size, nodes=3, mtu=1500):
    """Profile node 1 of a ring while its client floods it; text for people."""
    spy = _py_spy() if SYSTEMS[name].kind == OURS else None
    perf = shutil.which("perf")
    if spy is None and perf is None:
        raise NoProfiler("nothing to sample with: `pip install py-spy`, or install perf")
    parts = [f"{name}, {nodes} nodes, MTU {mtu}, {size} B from one sender; node 1 is sampled"]
    with running(name, nodes, mtu) as ring, tempfile.TemporaryDirectory() as directory:
        for program, sample in ((spy, _sample_python), (perf, _sample_code)):
            if program is not None:
                parts.append(sample(program, ring, size, Path(directory)))
    return "\n\n".join(parts) + "\n"


def _py_spy():
    beside = Path(sys.executable).parent / "py-spy"
    return str(beside) if beside.exists() else shutil.which("py-spy")


def _sample_python(program, ring, size, directory):
    raw = directory / "stacks"
    options = ["-r", SAMPLES_PER_S, "-d", int(SAMPLE_S), "-f", "raw", "-o", raw]
    flood = _flooded(ring, size, [program, "record", *options, "--pid", ring.pid(1)])
    alone, within = Counter(), Counter()
    for line in raw.read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        functions = stack.split(";")
        if functions[-1].startswith(WAITING):
            continue
        alone[functions[-1]] += int(count)
        for function in set(functions):
            if "(twisted/" not in function and "(twistd:" not in function:
                within[function] += int(count)
    total = max(sum(alone.values()), 1)
    return (
        f"Python functions (py-spy, {total} samples), {flood}\n\n"
        f"in the function itself\n{_ranked(alone, total)}\n"
        f"in it and what it calls\n{_ranked(within, total)}"
    )


def _ranked(counts, total):
    return aligned([[f"{n / total:.1%}", name] for name, n in counts.most_common(TOP)], left=(1,))


def _sample_code(program, ring, size, directory):
    data = directory / "perf.data"
    options = ["-F", PERF_SAMPLES_PER_S, "-e", "cpu-clock", "-o", data, "-p", ring.pid(1)]
    flood = _flooded(ring, size, [program, "record", "-q", *options, "--", "sleep", int(SAMPLE_S)])
    parts = [f"machine code (perf), {flood}"]
    for what, limit in (("dso", 0.3), ("dso,symbol", PERF_LEAST_PERCENT)):
        shown = ["--stdio", "-q", "--sort", what, "--percent-limit", limit, "-i", data]
        command = [program, "report", *map(str, shown)]
        said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        lines = (line.rstrip(" -") for line in said.splitlines())
        parts.append("\n".join(line for line in lines if line and not line.startswith("#")))
    return "\n\n".join(parts)


def _flooded(ring, size, command):
    """Run a sampler in the middle of a flood; say what was moved meanwhile."""
    sampler = None
    words = [str(word) for word in command]
    try:
        ring.begin_flood(size, SAMPLE_S + 2 * LEAD_S)
        time.sleep(LEAD_S)
        sampler = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        rate = ring.end_flood()
        said, _ = sampler.communicate(timeout=60)
    finally:
        if sampler is not None and sampler.poll() is None:
            sampler.kill()
    if sampler.returncode:
        raise NoProfiler(f"{words[0]}: {said.decode(errors='replace')}")
    return f"at {rate:,.0f} messages/s, {rate * size / 1e6:,.1f} MB/s"


def keep(text, when):
    """Write the profile beside the results; give its path."""
    path = f.RESULTS / f"{when}-profile.txt"
    with suppress(FileExistsError):
        f.RESULTS.mkdir()
    path.write_text(text)
    return path
