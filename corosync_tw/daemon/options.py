"""
``twistd corosync``: command line and check of the configuration.

Everything that can be wrong before the ring is touched is found here, before twistd leaves the
terminal, and ends the process with Corosync's exit status.
Source: Corosync exec/main.c, main.
"""

import os
import sys
from typing import Any, Final

from twisted.python import usage

from corosync_tw.config.schema import Config
from corosync_tw.daemon.checking import examine_configuration, read_configuration
from corosync_tw.daemon.exitcodes import DaemonError
from corosync_tw.daemon.settings import CommandLine

# twistd's own default, which nobody chose: one pid file for all daemons of a working directory.
_TWISTD_PIDFILE: Final = "twistd.pid"


class Options(usage.Options):
    """
    Options of the ``corosync`` command of twistd.

    :ivar config: the configuration, once the options are parsed.
    :ivar logs_with_us: twistd logs to our targets alone.
    """

    synopsis = "[options]"
    longdesc = (
        "Join a Corosync cluster as corosync.conf says and serve local clients."
        " Signals: TERM, INT and QUIT leave the cluster and end; USR2 writes the state to the log."
    )
    optParameters: Final = [
        ["config", "c", None, "Configuration file. [/etc/corosync/corosync.conf]"],
        ["state-dir", None, None, "Directory for the ring id. [system.state_dir]"],
        ["run-dir", None, None, "Directory for the lock file and sockets. [system.run_dir]"],
        ["pb-socket", None, None, "Socket of local clients. [RUN-DIR/corosync_tw.sock]"],
        ["pb-tls", None, None, "[ADDRESS:]PORT for clients over TLS. [none]"],
        ["pb-certificate", None, None, "Certificate and key for TLS, PEM."],
        ["pb-authority", None, None, "Authority that signs the clients' certificates, PEM."],
        ["node", None, None, "Entry of the nodelist that is this node: name or node id."],
    ]
    optFlags: Final = [["test", "t", "Check the configuration file and exit."]]

    config: Config

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.environ = os.environ
        self.logs_with_us = False

    @property
    def foreground(self) -> bool:
        """Whether twistd stays on the terminal."""
        parent: Any = self.parent
        return parent is None or bool(parent.get("nodaemon") or parent.get("debug"))

    @property
    def command_line(self) -> CommandLine:
        """What was given."""
        return CommandLine(
            config_file=self["config"],
            state_dir=self["state-dir"],
            run_dir=self["run-dir"],
            pb_socket=self["pb-socket"],
            node=self["node"],
            pb_tls=self["pb-tls"],
            pb_certificate=self["pb-certificate"],
            pb_authority=self["pb-authority"],
        )

    def postOptions(self) -> None:
        """
        Read the configuration.

        Raises: SystemExit with Corosync's code when it has faults, and after ``--test``.
        """
        try:
            if self["test"]:
                _say(*examine_configuration(self.command_line, self.environ))
                raise SystemExit(0)
            self.config = read_configuration(self.command_line, self.environ)
        except DaemonError as error:
            _say(*error.messages)
            raise SystemExit(int(error.code)) from error
        self._tell_twistd()

    def _tell_twistd(self) -> None:
        """
        Keep twistd's pid file and log out of the way, unless they were asked for.

        Several nodes share a working directory; the lock file in the run directory does the work of
        the pid file, the logging section that of the log.
        """
        parent: Any = self.parent
        if parent is None:
            return
        if parent.get("pidfile") == _TWISTD_PIDFILE:
            parent["pidfile"] = ""
        if not any(parent.get(option) for option in ("logfile", "syslog", "logger")):
            # By name: twistd imports it after this method and calls it after makeService.
            parent["logger"] = "corosync_tw.daemon.startup.log_observer"
            self.logs_with_us = True


def _say(*lines: str) -> None:
    for line in lines:
        print(line, file=sys.stderr, flush=True)
