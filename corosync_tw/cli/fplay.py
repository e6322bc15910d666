"""``corosync-tw fplay``: put what flight recorders hold into words, of nodes that run or ran."""

import glob
import json
import os
import re
import sys
import time
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from corosync_tw.cli.fplay_causes import causes_of
from corosync_tw.cli.running import write_no_more
from corosync_tw.cli.stock_tools import PROGRAM
from corosync_tw.corotypes import NS_PER_S
from corosync_tw.logsys.flight.drawing import draw
from corosync_tw.logsys.flight.following import Follower
from corosync_tw.logsys.flight.layout import RecordingError
from corosync_tw.logsys.flight.merging import merge
from corosync_tw.logsys.flight.record import FlightRecord, stamp
from corosync_tw.logsys.flight.recorder import FILE_MODE
from corosync_tw.logsys.flight.selecting import Selection
from corosync_tw.logsys.flight.stock import open_recording
from corosync_tw.logsys.flight.table import EVENTS
from corosync_tw.logsys.traces import ring_id_text
from corosync_tw.printable import printable_lines

DEFAULT_FILES: Final = "/var/lib/corosync/flight-*.rec"
POLL_INTERVAL_S: Final = 0.2


def add_parser(tools: Any) -> None:
    """Describe the tool."""
    parser: ArgumentParser = tools.add_parser(
        "fplay",
        help="replay flight recorders",
        description=f"{__doc__} Of several files one timeline is made, by ring and token.",
    )
    add = parser.add_argument
    add("files", metavar="FILE", nargs="*", help=f"recordings; else {DEFAULT_FILES}")
    add("--json", action="store_true", help="one JSON object a line")
    add("--html", metavar="FILE", help="write a timeline that a browser shows; - for stdout")
    add("--follow", action="store_true", help="go on with what is written from now on")
    add(
        "--subsystem", metavar="NAME,NAME", type=_upper, default=frozenset(), help="TOTEM, KNET ..."
    )
    add("--node", metavar="ID,ID", type=_numbers, default=frozenset(), help="of these nodes alone")
    add("--event", metavar="NAME,NAME", type=_events, default=frozenset(), help="token_lost ...")
    add("--message", metavar="REGEX", type=_pattern, help="whose text has this")
    add(
        "--since",
        metavar="TIME",
        type=point_in_time,
        help="2026-11-23T12:00:00, UTC, or so long ago: 10m",
    )
    add("--until", metavar="TIME", type=point_in_time, help="likewise")
    parser.set_defaults(run=main)


def main(args: Namespace) -> None:
    """
    Run the tool.

    Raises: SystemExit, 1 when a file cannot be read.
    """
    selection = Selection(
        args.subsystem, args.node, args.event, args.since, args.until, args.message
    )
    paths = args.files or sorted(glob.glob(DEFAULT_FILES))
    if not paths:
        _complain(f"no recording: there is no {DEFAULT_FILES}; name one")
        raise SystemExit(1)
    if args.follow and args.html:
        _complain("--follow and --html do not go together")
        raise SystemExit(2)
    try:
        whole = (
            _follow(paths, selection, as_json=args.json)
            if args.follow
            else _play(paths, selection, args)
        )
    except RecordingError as error:
        _complain(str(error))
        raise SystemExit(1) from error
    except KeyboardInterrupt:
        return
    except BrokenPipeError:
        write_no_more()
        return
    if not whole:
        raise SystemExit(1)


def _play(paths: Sequence[str], selection: Selection, args: Namespace) -> bool:
    """Print what files hold; tell whether all could be read."""
    recordings, whole = [], True
    for path in paths:
        try:
            recordings.append(open_recording(path))
        except RecordingError as error:
            _complain(str(error))
            whole = False
            continue
        for damage in recordings[-1].damage:
            _complain(f"{path}: {damage}")
    records: Iterable[FlightRecord]
    alone = len(recordings) == 1 and not args.html
    records = recordings[0].records() if alone else merge(recordings)
    chosen = (record for record in records if selection.matches(record))
    if args.html:
        _write_html(args.html, draw(list(chosen), causes_of(recordings)))
    else:
        for record in chosen:
            print(line(record, as_json=args.json))
    sys.stdout.flush()
    return whole


def _follow(paths: Sequence[str], selection: Selection, *, as_json: bool) -> bool:
    followers = [Follower(path) for path in paths]
    lost = 0
    while True:
        found = [record for follower in followers for record in follower.poll()]
        for record in sorted(found, key=lambda record: record.aligned_ns):
            if selection.matches(record):
                print(line(record, as_json=as_json))
        sys.stdout.flush()
        now_lost = sum(follower.lost for follower in followers)
        if now_lost > lost:
            _complain(
                f"overtaken: {now_lost - lost} slots, each a record or a part of one, were"
                " overwritten before they were read"
            )
            lost = now_lost
        time.sleep(POLL_INTERVAL_S)


def line(record: FlightRecord, *, as_json: bool) -> str:
    """Write a record on one line."""
    if as_json:
        return json.dumps(record.as_dict())
    ring = "-" if record.ring is None else ring_id_text(record.ring)
    return f"{stamp(record.time_ns)} {record.nodeid:>4} {ring:>8} {record.subsys:<7} {record.text}"


def _write_html(path: str, text: str) -> None:
    if path == "-":
        print(text)
        return
    try:
        with open(path, "w", encoding="utf-8", opener=_open_as_recording) as file:
            file.write(text)
    except OSError as error:
        raise RecordingError(f"{path}: cannot be written: {error.strerror}") from error


def _open_as_recording(path: str, flags: int) -> int:
    """Open what holds as much as a recording, for those who may read one."""
    return os.open(path, flags, FILE_MODE)


def _complain(text: str) -> None:
    print(end="", flush=True)
    print(f"{PROGRAM} fplay: {printable_lines(text)}", file=sys.stderr, flush=True)


def _events(text: str) -> frozenset[str]:
    """Read names of events; those of other versions may be in a file, and so are no fault."""
    names = frozenset(text.split(","))
    unknown = sorted(names - {event.name for event in EVENTS.values()})
    if unknown:
        _complain(f"this version records no event {', '.join(unknown)}")
    return names


def _upper(text: str) -> frozenset[str]:
    return frozenset(text.upper().split(","))


def _numbers(text: str) -> frozenset[int]:
    try:
        return frozenset(int(word) for word in text.split(","))
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is not a list of node ids") from error


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise ArgumentTypeError(f"{text!r} is no regular expression: {error}") from error


def point_in_time(text: str) -> int:
    """Read a point in time: ISO 8601, UTC unless it says otherwise, or a time ago."""
    ago = re.fullmatch(r"(\d{1,9})([smhd])", text)
    if ago is not None:
        seconds = int(ago[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[ago[2]]
        return time.time_ns() - seconds * NS_PER_S
    try:
        when = datetime.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(
            f"{text!r} is no time: write 2026-11-23T12:00:00, or 10m for ten minutes ago"
        ) from error
    when = when if when.tzinfo is not None else when.replace(tzinfo=UTC)
    return int(when.timestamp() * 1_000_000) * 1000
