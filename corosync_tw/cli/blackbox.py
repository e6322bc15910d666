"""
``corosync-blackbox``: have the daemon dump its flight recorder, and print the dump.

Source: Corosync tools/corosync-blackbox.sh.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Final

from corosync_tw.cli import cmapctl
from corosync_tw.cli.stock_run import exit_code, print_json

DUMP: Final = "/var/lib/corosync/fdata"
PRINTER: Final = "qb-blackbox"
KEYS: Final = ("runtime.blackbox.dump_state", "runtime.blackbox.dump_flight_data")
# What a shell answers for a program that is not there.
EXIT_NOT_FOUND: Final = 127


def main(argv: Sequence[str]) -> int:
    """Run the tool; return the exit code of what printed the dump."""
    as_json = "--json" in argv
    set_keys = [key for key in KEYS if _dumped(key)]
    printed, code = _printed(as_json)
    if as_json:
        print_json({"keys_set": set_keys, "dump": DUMP, "text": printed})
    return code


def _dumped(key: str) -> bool:
    return exit_code(cmapctl.main, ["-s", key, "str", str(int(time.time()))]) == 0


def _printed(as_json: bool) -> tuple[str | None, int]:
    print(end="", flush=True)
    program = shutil.which(PRINTER, path=os.environ.get("PATH", os.defpath))
    if program is None:
        print(f"corosync-blackbox: {PRINTER}: not found", file=sys.stderr)
        return None, EXIT_NOT_FOUND
    done = subprocess.run([program, DUMP], capture_output=as_json, check=False)
    return done.stdout.decode(errors="replace") if as_json else None, done.returncode
