"""What the connections of C clients ask of their server."""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from corosync_tw.ipc.qb.client import Client


class Keeper(Protocol):
    """The server, as its connections see it."""

    def serve_now(self, client: "Client") -> None:
        """Call ``client.turn``, at once if there is time."""

    def come_back(self, client: "Client") -> None:
        """Call ``client.turn`` in the next turn of the loop."""

    def kept(self, client: "Client") -> None:
        """Call ``client.offer_again`` when the ring takes requests again."""

    def flush(self) -> None:
        """Wake every client that something was written for."""

    def wrote(self, client: "Client") -> None:
        """Call ``client.flush`` at the end of this run of events."""

    def queued(self, client: "Client", change_bytes: int, *, poll: bool) -> None:
        """Account for queued events, and with ``poll`` call ``client.drain`` again and again."""

    def bury(self, client: "Client", complaint: str) -> None:
        """Close and forget a client, with a word in the log if there is one."""
