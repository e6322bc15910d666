"""
Checks that need no reactor: the interpreter, the configuration file, the log files it names.

Source: Corosync exec/main.c, main, up to ``testonly``.
"""

import errno
import os
from collections.abc import Mapping
from dataclasses import replace

from corosync_tw.config.load import load_file
from corosync_tw.config.schema import Config
from corosync_tw.config.this_host import this_host
from corosync_tw.config.unsupported import unsupported
from corosync_tw.daemon.exitcodes import DaemonError, ExitCode
from corosync_tw.daemon.knet_params import lacking_model
from corosync_tw.daemon.log_files import log_file_fault
from corosync_tw.daemon.settings import CommandLine
from corosync_tw.errors import ConfigError
from corosync_tw.logsys.configured import log_settings
from corosync_tw.logsys.system import LogFileError


def check_interpreter() -> None:
    """
    Refuse to run without asserts: a broken invariant must end the node, not the cluster.

    Raises: DaemonError.
    """
    if not __debug__:
        raise DaemonError(
            ExitCode.FATAL_ERR,
            "Python runs with -O or PYTHONOPTIMIZE, which removes the checks this daemon relies"
            " on. Start it without.",
        )


def read_configuration(line: CommandLine, environ: Mapping[str, str]) -> Config:
    """
    Read the configuration file of a node that is to start.

    Raises: DaemonError with MAINCONFIGREAD and one message per fault, or per directive that this
    version cannot follow.
    """
    config = _load(line, environ)
    lacking = _lacking(config)
    if lacking:
        raise DaemonError(ExitCode.MAINCONFIGREAD, *lacking)
    return config


def reread_configuration(path: str, node: str | None, nodeid: int) -> Config:
    """
    Read the file again for a node that runs.

    :param nodeid: of that node.
    Raises: ConfigError, also for directives that this version cannot follow.
    """
    config = load_file(path, node=node, host=replace(this_host(), running_nodeid=nodeid))
    lacking = _lacking(config)
    if lacking:
        raise ConfigError(lacking)
    return config


def examine_configuration(line: CommandLine, environ: Mapping[str, str]) -> list[str]:
    """
    Say whether Corosync would start with the file, as ``corosync -t`` does.

    :return: warnings, and what keeps this version from running a file that is right.
    Raises: DaemonError with one message per fault.
    """
    config = _load(line, environ)
    check_log_files(config)
    return [*config.warnings, *_lacking(config)]


def _lacking(config: Config) -> list[str]:
    """Say what this version, and this machine, cannot do of what the file says."""
    return [*unsupported(config), *lacking_model(config)]


def _load(line: CommandLine, environ: Mapping[str, str]) -> Config:
    check_interpreter()
    try:
        return load_file(line.file(environ), node=line.node)
    except ConfigError as error:
        raise DaemonError(ExitCode.MAINCONFIGREAD, *error.faults) from error


def check_log_files(config: Config) -> None:
    """
    See whether the log files could be opened, without making them.

    Raises: DaemonError with LOGCONFIGREAD.
    """
    settings = log_settings(config.logging)
    for subsys in (settings.default, *settings.subsystems.values()):
        if not subsys.to_logfile or subsys.logfile is None:
            continue
        path = subsys.logfile
        directory = os.path.dirname(os.path.abspath(path))
        if not os.path.isdir(directory):
            number = errno.ENOENT
        elif os.path.isdir(path):
            number = errno.EISDIR
        elif not os.access(path if os.path.exists(path) else directory, os.W_OK):
            number = errno.EACCES
        else:
            continue
        fault = LogFileError(path, f"{os.strerror(number)} ({number})", number)
        text = f"parse error in config: {log_file_fault(config, fault)}"
        raise DaemonError(ExitCode.LOGCONFIGREAD, text)
