"""
Where this process reads and writes: command line first, then corosync.conf, then environment.

Paths become absolute here, once, because twistd changes the working directory later.
Source: Corosync exec/main.c, main; exec/util.c, get_state_dir; corosync(8) of 1.4 for
COROSYNC_MAIN_CONFIG_FILE and COROSYNC_RUN_DIR, systemd.exec(5) for STATE_DIRECTORY.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from corosync_tw.config.schema_services import SystemConfig
from corosync_tw.daemon.exitcodes import DaemonError, ExitCode
from corosync_tw.daemon.lockfile import LOCK_FILE_NAME
from corosync_tw.ipc.pb.server import SOCKET_NAME

DEFAULT_CONFIG_FILE: Final = "/etc/corosync/corosync.conf"
# Longest path that a UNIX socket can be bound to (unix(7), sun_path with its NUL).
SOCKET_PATH_LEN_BYTES_MAX: Final = 107


@dataclass(frozen=True, slots=True)
class CommandLine:
    """
    What was given on the command line; None where nothing was.

    :ivar node: name or node id of the entry of the nodelist that is ours.
    :ivar pb_tls: ``[ADDRESS:]PORT`` for clients over TLS.
    """

    config_file: str | None = None
    state_dir: str | None = None
    run_dir: str | None = None
    pb_socket: str | None = None
    node: str | None = None
    pb_tls: str | None = None
    pb_certificate: str | None = None
    pb_authority: str | None = None

    def file(self, environ: Mapping[str, str]) -> str:
        """Return the configuration file to read."""
        return self.config_file or environ.get("COROSYNC_MAIN_CONFIG_FILE") or DEFAULT_CONFIG_FILE


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """
    Where and with whom clients may speak TLS.

    :ivar address: to listen on; empty for every address.
    :ivar certificate: file of our certificate and key, PEM.
    :ivar authority: file of the certificate of the authority that signs the clients', PEM.
    """

    address: str
    port: int
    certificate: str
    authority: str


@dataclass(frozen=True, slots=True)
class Settings:
    """
    Paths of one daemon, all absolute.

    :ivar state_dir: where the ring id survives a restart.
    :ivar run_dir: where lock file and sockets are.
    """

    config_file: str
    state_dir: str
    run_dir: str
    pb_socket: str
    tls: TlsSettings | None = None

    @property
    def lock_file(self) -> str:
        """The file whose lock says that we run."""
        return os.path.join(self.run_dir, LOCK_FILE_NAME)


def resolve(line: CommandLine, system: SystemConfig, environ: Mapping[str, str]) -> Settings:
    """Settle every path. Raises: DaemonError when the options do not fit together."""
    state_dir = _choose(
        line.state_dir, system.given("state_dir"), system.state_dir, environ.get("STATE_DIRECTORY")
    )
    run_dir = _choose(
        line.run_dir, system.given("run_dir"), system.run_dir, environ.get("COROSYNC_RUN_DIR")
    )
    pb_socket = os.path.abspath(line.pb_socket or os.path.join(run_dir, SOCKET_NAME))
    return Settings(os.path.abspath(line.file(environ)), state_dir, run_dir, pb_socket, _tls(line))


def _tls(line: CommandLine) -> TlsSettings | None:
    """
    Return what TLS needs, if it is wanted.

    Raises: DaemonError when one option lacks the others.
    """
    given = (line.pb_tls, line.pb_certificate, line.pb_authority)
    if given == (None, None, None):
        return None
    where, certificate, authority = given
    address, _, port = (where or "").rpartition(":")
    if not certificate or not authority or not port.isdecimal() or not 0 < int(port) < 65536:
        raise DaemonError(
            ExitCode.FATAL_ERR,
            "Clients over TLS need all three: --pb-tls [ADDRESS:]PORT, --pb-certificate FILE and"
            " --pb-authority FILE.",
        )
    return TlsSettings(
        address.strip("[]"), int(port), os.path.abspath(certificate), os.path.abspath(authority)
    )


def _choose(option: str | None, given: bool, configured: str, environment: str | None) -> str:
    """
    Return the first path that was chosen by somebody.

    :param given: the file has the directive; otherwise ``configured`` is its default.
    """
    if option:
        path = option
    elif not given and environment:
        # systemd separates several directories by colons; the first is ours.
        path = environment.partition(":")[0]
    else:
        path = configured
    return os.path.abspath(path)
