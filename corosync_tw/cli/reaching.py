"""How a tool reaches its daemon: a socket of this machine, or TLS to another one."""

import os
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from twisted.internet.interfaces import IStreamClientEndpoint

from corosync_tw.client.errors import DaemonSilent, NoDaemon
from corosync_tw.client.node import Node, connect
from corosync_tw.errors import CsInvalidParam

DEFAULT_SOCKET: Final = "/run/corosync_tw.sock"
SOCKET_VARIABLE: Final = "COROSYNC_TW_SOCKET"


def add_options(parser: ArgumentParser) -> None:
    """Give a tool the options --socket, --tls, --certificate and --authority."""
    parser.add_argument(
        "--socket",
        metavar="PATH",
        help=f"socket of the daemon (else ${SOCKET_VARIABLE}, else {DEFAULT_SOCKET})",
    )
    parser.add_argument(
        "--tls", metavar="HOST:PORT", help="daemon of another machine, run with --pb-tls"
    )
    parser.add_argument("--certificate", metavar="FILE", help="our certificate and key, PEM")
    parser.add_argument(
        "--authority", metavar="FILE", help="certificate of who signed the daemon's, PEM"
    )


def socket_path(given: str | None, environ: Mapping[str, str] = os.environ) -> str:
    """Choose the daemon's socket: the option, the environment, the default."""
    return given or environ.get(SOCKET_VARIABLE) or DEFAULT_SOCKET


async def reach(reactor: Any, args: Namespace) -> Node:
    """
    Connect to the daemon that the options name.

    Raises: NoDaemon, whose text says what to do; CsInvalidParam, when the options do not fit
    together; CsError.
    """
    where: str | IStreamClientEndpoint
    if args.tls:
        name, where = args.tls, _tls_endpoint(reactor, args)
        remedy = "is it run with --pb-tls, and did its authority sign both certificates?"
    else:
        name = where = socket_path(args.socket)
        remedy = (
            "start one with 'twistd -n corosync -c FILE', or name its socket with --socket PATH"
        )
    try:
        return await connect(reactor, where)
    except DaemonSilent as fault:
        raise DaemonSilent(
            f"the daemon on {name} took the connection and gives no answer ({fault}): it stands"
            " still (see the state of its process with ps), or its host is overloaded"
        ) from fault
    except NoDaemon as fault:
        raise NoDaemon(f"no daemon answers on {name} ({fault}); {remedy}") from fault


def _tls_endpoint(reactor: Any, args: Namespace) -> IStreamClientEndpoint:
    host, _, port = args.tls.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise CsInvalidParam(f"--tls wants HOST:PORT, not {args.tls}")
    if not args.certificate or not args.authority:
        raise CsInvalidParam("--tls wants --certificate FILE and --authority FILE as well")
    try:
        # Here, because it needs an extra that local use does not.
        from corosync_tw.ipc.pb.tls import tcp_client_endpoint  # noqa: PLC0415
    except ImportError as fault:
        raise CsInvalidParam(f"--tls needs pip install 'corosync_tw[tls]' ({fault})") from fault
    pems = (_read(args.certificate), _read(args.authority))
    try:
        return tcp_client_endpoint(reactor, host.strip("[]"), int(port), *pems)
    except CsInvalidParam as fault:
        files = f"--certificate {args.certificate} --authority {args.authority}"
        raise CsInvalidParam(f"--tls {args.tls} {files}: {fault}") from fault


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as fault:
        raise CsInvalidParam(f"cannot read {path}: {fault.strerror}") from fault
