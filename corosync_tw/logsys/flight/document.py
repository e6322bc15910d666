"""``python -m corosync_tw.logsys.flight.document``: docs/flight-events.rst, made of the table."""

from typing import Final

from corosync_tw.logsys.flight.events import Event
from corosync_tw.logsys.flight.layout import SLOTS, Lane
from corosync_tw.logsys.flight.table import EVENTS

_HEAD: Final = """\
Events of the flight recorder
=============================

What ``corosync-tw fplay`` may print, by the name that ``--event`` and ``--json`` have. This page is
made of the table in ``corosync_tw/logsys/flight/table.py``. In a text, ``[...]`` is left out when
its fields are 0 or empty, and ``[name=2|...]`` unless that field is 2. Fields are written as name
and kind.

"""
_TITLES: Final = {
    Lane.EVENTS: "Membership, links, the node itself",
    Lane.VISITS: "Visits of the token, datagrams",
    Lane.REMARKS: "Log lines, clients",
}


def page() -> str:
    """Write the page."""
    parts = [_HEAD]
    for lane, title in _TITLES.items():
        parts.append(f"{title}\n{'-' * len(title)}\n\n")
        parts.append(f"The last {SLOTS[lane]} of these are kept, fewer with long texts.\n\n")
        parts += [_entry(event) for event in EVENTS.values() if event.lane is lane]
    return "".join(parts).rstrip() + "\n"


def _entry(event: Event) -> str:
    fields = " ".join(f"{field.name}:{field.kind}" for field in event.fields)
    about = f"    ``{event.subsys}``, code {event.code:#x}" + (
        f", ``{fields}``\n" if fields else "\n"
    )
    return f"``{event.name}``\n{about}\n    ``{event.text}``\n\n"


if __name__ == "__main__":
    print(page(), end="")
