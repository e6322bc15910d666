"""
Changes of keys as they come, until somebody types q.

Source: Corosync tools/corosync-cmapctl.c add_track, track_changes, cmap_notify_fn.
Deviation: over sockets, too, the end of the daemon ends the tool; stock waits on.
"""

import os
import select
from collections.abc import Sequence
from typing import Final

from corosync_tw.cli.cmap_values import Style
from corosync_tw.cli.stock_run import complain, fail, print_json
from corosync_tw.client.qb.cmap import Change, Cmap
from corosync_tw.errors import CsError
from corosync_tw.services.cmap.trackers import Track

STDIN: Final = 0
_CHANGES: Final = Track.ADD | Track.DELETE | Track.MODIFY
_WORDS: Final = {Track.ADD: "create", Track.DELETE: "delete", Track.MODIFY: "modify"}


def follow(cmap: Cmap, names: Sequence[str], style: Style, *, by_prefix: bool) -> None:
    """
    Print changes until stdin ends or has a line that begins with q, or the daemon is gone.

    Raises: Ended.
    """
    mask = _CHANGES | Track.PREFIX if by_prefix else _CHANGES
    for instance, name in enumerate(names):
        try:
            cmap.track(name, mask, instance)
        except CsError as fault:
            fail(f"Failed to add tracking function. Error {fault.name}")
    if not style.as_json:
        print('Type "q" to finish', flush=True)
    poll = select.poll()
    for fd in (STDIN, *cmap.filenos()):
        poll.register(fd, select.POLLIN)
    going_on = True
    while going_on:
        ready = {fd for fd, _ in poll.poll()}
        if STDIN in ready:
            going_on = not _told_to_finish()
        if ready - {STDIN}:
            going_on = _printed_all(cmap, style) and going_on


def _told_to_finish() -> bool:
    try:
        typed = os.read(STDIN, 4096)
    except OSError:
        # It was closed.
        return True
    return not typed or any(line.startswith(b"q") for line in typed.split(b"\n"))


def _printed_all(cmap: Cmap, style: Style) -> bool:
    """Print what has come; False when the daemon is gone."""
    try:
        while (change := cmap.change(0)) is not None:
            _print(change, style)
    except CsError as fault:
        complain(f"Dispatch error {fault.name}")
        return False
    return True


def _print(change: Change, style: Style) -> None:
    word = _WORDS.get(Track(change.event), "")
    value = change.old if word == "delete" else change.new
    if value is None or not word:
        text = "unknown change> "
    elif style.as_json:
        return print_json({"event": word, **style.document(change.name, value)})
    else:
        text = f"{word}> {style.text(change.name, value)}"
    print(text, flush=True)
    return None
