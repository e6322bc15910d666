"""Errors of a client that has no daemon to speak to; all others are those of the daemon itself."""

from corosync_tw.errors import CsError


class NoDaemon(CsError):
    """There is nobody to connect to, or nobody who speaks our protocol; the text says where."""


class DaemonSilent(NoDaemon):
    """Somebody took our connection, and then said nothing: a daemon that stands still."""


class DaemonLost(CsError):
    """The connection ended; whether the last requests were carried out is not known."""
