"""The page about events is that of the table."""

from pathlib import Path

from corosync_tw.logsys.flight.document import page

DOCS = Path(__file__).resolve().parents[4] / "docs"


def test_the_page_is_not_stale():
    written = (DOCS / "flight-events.rst").read_text()
    again = "python -m corosync_tw.logsys.flight.document > docs/flight-events.rst"
    assert written == page(), again
