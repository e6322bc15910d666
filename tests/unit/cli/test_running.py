"""What all tools share."""

import subprocess
import sys

PROGRAM = """
import time
from corosync_tw.cli.running import run

async def tool(reactor):
    return 0 if reactor.seconds is time.monotonic else 3

run(tool)
"""


def test_tools_wait_by_the_monotonic_clock():
    command = [sys.executable, "-c", PROGRAM]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (outcome.returncode, outcome.stderr) == (0, "")
