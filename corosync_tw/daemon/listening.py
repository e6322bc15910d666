"""
The sockets of local clients, opened as the last step of a start.

Listening is over when the call returns, for UNIX and for TCP sockets: the outcome is known at once.
"""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.python.failure import Failure

from corosync_tw.daemon.exitcodes import DaemonError, ExitCode
from corosync_tw.daemon.settings import Settings, TlsSettings
from corosync_tw.errors import CsError
from corosync_tw.ipc.pb.server import PbServer
from corosync_tw.ipc.qb.server import QbServer


def listen_for_clients(reactor: Any, server: PbServer, settings: Settings) -> None:
    """
    Accept clients on the UNIX socket, and over TLS if that is wanted.

    Raises: DaemonError; what was opened before stays open until ``server.stop``.
    """
    tls = settings.tls
    if tls is not None:
        _listen(
            lambda: _listen_tls(reactor, server, tls),
            f"TLS port {tls.port}",
            "Choose another one with --pb-tls, or correct the files of --pb-certificate and"
            " --pb-authority.",
        )
    _listen(
        lambda: server.listen_unix(settings.pb_socket),
        settings.pb_socket,
        "Name another socket with --pb-socket PATH.",
    )


def listen_for_programs(server: QbServer) -> None:
    """
    Accept C clients.

    Raises: DaemonError, with nothing of it open.
    """
    try:
        server.listen()
    except OSError as error:
        raise DaemonError(
            ExitCode.SERVICE_ENGINE_INIT,
            f"Cannot listen for C clients: {error.strerror}. Stop the other Corosync of this"
            " machine, or set system.qb_ipc_type to none for a node without C clients.",
        ) from error


def _listen_tls(reactor: Any, server: PbServer, tls: TlsSettings) -> Deferred[Any]:
    try:
        from corosync_tw.ipc.pb.tls import server_endpoint  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise OSError(f"{error}; install corosync_tw[tls]") from error
    with open(tls.certificate, "rb") as file:
        certificate = file.read()
    with open(tls.authority, "rb") as file:
        authority = file.read()
    return server.listen(server_endpoint(reactor, tls.address, tls.port, certificate, authority))


def _listen(listen: Callable[[], Deferred[Any]], where: str, remedy: str) -> None:
    failures: list[Failure] = []
    try:
        listen().addErrback(failures.append)
        if failures:
            failures[0].raiseException()
    except (CannotListenError, CsError, OSError) as error:
        raise DaemonError(
            ExitCode.FATAL_ERR, f"Cannot listen for clients on {where}: {error}. {remedy}"
        ) from error
