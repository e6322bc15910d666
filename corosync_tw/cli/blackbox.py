"""
``corosync-blackbox``: have the daemon dump its flight recorder, and print the dump; or print files
that a daemon left.

Source: Corosync tools/corosync-blackbox.sh; libqb tools/qb_blackbox.c.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from corosync_tw.cli import cmapctl
from corosync_tw.cli.gnu_options import Options
from corosync_tw.cli.stock_run import (
    EXIT_FAILURE,
    EXIT_SUCCESS,
    Ended,
    complain,
    exit_code,
    print_json,
)
from corosync_tw.client.qb.cmap import Map, connect_cmap
from corosync_tw.corotypes import NS_PER_MS, NS_PER_S
from corosync_tw.errors import CsError
from corosync_tw.logsys.qb_blackbox import BlackboxEntry, entry_line, read_blackbox
from corosync_tw.printable import printable

PROGRAM: Final = "corosync-blackbox"
DEFAULT_DUMP: Final = "/var/lib/corosync/fdata"
DUMP_KEY: Final = "runtime.corosync_tw.blackbox"
STATE_DIR_KEY: Final = "system.state_dir"
KEYS: Final = ("runtime.blackbox.dump_state", "runtime.blackbox.dump_flight_data")
# A daemon of ours writes the file while it does other things.
WRITTEN_WITHIN_S: Final = 5.0
_LOOK_EVERY_S: Final = 0.02
# Larger than any that a daemon writes, and no danger to memory.
FILE_LEN_BYTES_MAX: Final = 256 * 1024 * 1024
USAGE: Final = """\
usage: corosync-blackbox [-h] [--json] [FILE...]

Have the daemon dump its flight recorder, and print the dump; with FILE, print
files that corosync or another program with libqb left, and ask no daemon.
"""


def main(argv: Sequence[str]) -> int:
    """Run the tool; return 1 when a file cannot be read. Raises: Ended, WrongOption."""
    options = Options(PROGRAM, argv, "h", own=["json"])
    as_json = False
    for option, _ in options:
        if option == "h":
            print(USAGE, end="")
            raise Ended(EXIT_SUCCESS)
        as_json = True
    if options.operands:
        codes = [_show(path, as_json, {}) for path in options.operands]
        return max(codes)
    path = _dump_path()
    before = _version(path)
    set_keys = [key for key in KEYS if _dumped(key)]
    if KEYS[-1] in set_keys:
        _wait(lambda: _version(path) != before)
    return _show(path, as_json, {"keys_set": set_keys})


def _dump_path() -> str:
    """Ask the daemon where its dumps are; stock has them in its state directory."""
    try:
        cmap = connect_cmap(Map.ICMAP)
    except CsError:
        return DEFAULT_DUMP
    try:
        for key, path in ((DUMP_KEY, "{}"), (STATE_DIR_KEY, "{}/fdata")):
            try:
                return path.format(cmap.get(key).value)
            except CsError:
                continue
    finally:
        cmap.close()
    return DEFAULT_DUMP


def _dumped(key: str) -> bool:
    return exit_code(cmapctl.main, ["-s", key, "str", str(int(time.time()))]) == 0


def _version(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def _wait(done: Callable[[], bool]) -> None:
    end_s = time.monotonic() + WRITTEN_WITHIN_S
    while not done() and time.monotonic() < end_s:
        time.sleep(_LOOK_EVERY_S)


def _show(path: str, as_json: bool, more: dict[str, Any]) -> int:
    try:
        with open(path, "rb") as file:
            data = file.read(FILE_LEN_BYTES_MAX)
    except OSError as fault:
        complain(f"{PROGRAM}: cannot read {path}: {fault.strerror}")
        return EXIT_FAILURE
    if as_json:
        print_json({**more, "dump": path, **_document(data)})
        return EXIT_SUCCESS
    print(f"Dumping the contents of {path}")
    for item in read_blackbox(data):
        if isinstance(item, BlackboxEntry):
            print(printable(entry_line(item, _stamp(item.time_ns))))
        else:
            complain(f"{PROGRAM}: {path}: at byte {item.offset_bytes}: {item.text}")
    return EXIT_SUCCESS


def _document(data: bytes) -> dict[str, Any]:
    items = list(read_blackbox(data))
    return {
        "messages": list(_messages(items)),
        "damage": [item._asdict() for item in items if not isinstance(item, BlackboxEntry)],
    }


def _messages(items: Sequence[object]) -> Iterator[dict[str, Any]]:
    for item in items:
        if isinstance(item, BlackboxEntry):
            yield {**item._asdict(), "level": item.level.name.lower()}


def _stamp(time_ns: int) -> str:
    """Write a time as libqb does; one outside of all calendars as its seconds."""
    seconds, ns = divmod(time_ns, NS_PER_S)
    try:
        day = time.strftime("%b %d %H:%M:%S", time.localtime(seconds))
    except (OverflowError, ValueError, OSError):
        return str(seconds)
    return f"{day}.{ns // NS_PER_MS:03d}"
