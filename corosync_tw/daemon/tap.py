"""What twistd's plugin names: the options of ``twistd corosync`` and the service they make."""

from twisted.application.service import IService

from corosync_tw.daemon.options import Options

__all__ = ["Options", "makeService"]


def makeService(options: Options) -> IService:
    """Make the daemon; Raises: SystemExit with Corosync's code when it could not work."""
    from corosync_tw.daemon.startup import make_daemon  # noqa: PLC0415 - needs the reactor

    return make_daemon(options)
