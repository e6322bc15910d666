"""Errors of a client that has no daemon to speak to; all others are those of the daemon itself."""

from corosync_tw.errors import CsError


class NoDaemon(CsError):  # noqa: N818 - named as the tree it belongs to
    """There is nobody to connect to, or nobody who speaks our protocol; the text says where."""


class DaemonLost(CsError):  # noqa: N818 - named as the tree it belongs to
    """The connection ended; whether the last requests were carried out is not known."""
