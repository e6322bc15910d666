"""From the command line to a service: all that is checked before twistd leaves the terminal."""

import os
import sys
from typing import Any, Final

from twisted.logger import ILogObserver, LogPublisher, globalLogPublisher

from corosync_tw.config.schema import Config
from corosync_tw.daemon.checking import reread_configuration
from corosync_tw.daemon.directories import RUN_DIR_MODE, STATE_DIR_MODE, prepare_directory
from corosync_tw.daemon.ending import PROCESS_ENDING
from corosync_tw.daemon.engine import Engine
from corosync_tw.daemon.exitcodes import DaemonError, ExitCode
from corosync_tw.daemon.lockfile import LockFile
from corosync_tw.daemon.log_files import log_file_fault, open_in_time
from corosync_tw.daemon.network import check_port
from corosync_tw.daemon.options import Options
from corosync_tw.daemon.settings import SOCKET_PATH_LEN_BYTES_MAX, Settings, resolve
from corosync_tw.logsys.configured import log_settings
from corosync_tw.logsys.logger import SubsysLogger
from corosync_tw.logsys.system import LogFileError, Logsys
from corosync_tw.net.reactor import install as install_reactor
from corosync_tw.timers.clock import ClockError, install_monotonic

# One process, one daemon: between the making of the service and twistd's start of the log.
_LOGSYS: Final[list[Logsys]] = []


def make_daemon(options: Options) -> Engine:
    """
    Make the service of one node.

    Raises: SystemExit with Corosync's code; what is wrong then stands on stderr and in the log.
    """
    install_reactor()
    from twisted.internet import reactor  # noqa: PLC0415 - importing it installs it

    config = options.config
    logsys = _open_log(config)
    try:
        settings = resolve(options.command_line, config.system, options.environ)
        install_monotonic(reactor)  # type: ignore[arg-type]
        check_surroundings(settings)
        check_port(config)
    except ClockError as error:
        fail(DaemonError(ExitCode.FATAL_ERR, str(error)), logsys)
    except DaemonError as error:
        fail(error, logsys)
    _LOGSYS.append(logsys)
    if not options.logs_with_us:
        globalLogPublisher.addObserver(logsys)
    # twistd changes the working directory later.
    path = os.path.abspath(config.file)
    return Engine(
        reactor,
        config,
        settings,
        logsys,
        PROCESS_ENDING,
        reread=lambda: reread_configuration(path, options.command_line.node, config.nodeid),
        foreground=options.foreground,
    )


def log_observer() -> ILogObserver:
    """Return the observer of the daemon that was made; twistd asks for it by name."""
    return _LOGSYS[-1]


def _open_log(config: Config) -> Logsys:
    try:
        return open_in_time(log_settings(config.logging))
    except LogFileError as error:
        text = f"parse error in config: {log_file_fault(config, error)}"
        print(text, file=sys.stderr, flush=True)
        raise SystemExit(int(ExitCode.LOGCONFIGREAD)) from error


def check_surroundings(settings: Settings) -> None:
    """
    Look whether a node can live here; nothing is taken.

    Raises: DaemonError.
    """
    if len(os.fsencode(settings.pb_socket)) > SOCKET_PATH_LEN_BYTES_MAX:
        raise DaemonError(
            ExitCode.FATAL_ERR,
            f"Path of the clients' socket is longer than {SOCKET_PATH_LEN_BYTES_MAX} bytes:"
            f" {settings.pb_socket}. Name a shorter one with --pb-socket.",
        )
    prepare_directory(settings.state_dir, STATE_DIR_MODE, "state", "--state-dir")
    prepare_directory(settings.run_dir, RUN_DIR_MODE, "run", "--run-dir")
    LockFile(settings.lock_file).probe()


def fail(error: DaemonError, logsys: Logsys) -> Any:
    """
    Say why the process ends, on stderr and in the log, each once.

    Raises: SystemExit with the error's code, always.
    """
    log = SubsysLogger("MAIN", publisher=LogPublisher(logsys))
    for message in error.messages:
        log.error("{text}", text=message)
    log.error("Corosync Cluster Engine exiting with status {code}.", code=int(error.code))
    if not logsys.prints_on_stderr("MAIN"):
        print("\n".join(error.messages), file=sys.stderr, flush=True)
    raise SystemExit(int(error.code)) from error
