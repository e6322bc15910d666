"""
A configuration in force: what a running node is made to do when another one takes its place.

Source: corosync 3.1.7 exec/totemconfig.c, totemconfig_commit_new_params; exec/totempg.c,
totempg_put_config.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

from corosync_tw.config.load import service_params, totem_params
from corosync_tw.config.schema import Config
from corosync_tw.daemon.journal import Journal
from corosync_tw.daemon.log_files import LogOpener, log_file_fault
from corosync_tw.errors import CsInvalidParam
from corosync_tw.logsys.configured import log_settings
from corosync_tw.logsys.system import LogFileError, Logsys
from corosync_tw.services.stack import Stack


class Links(Protocol):
    """The part of a carriage that follows the configuration."""

    def adopt(self, old: Config, new: Config) -> None:
        """Follow the nodelist, and what else may change of the links."""

    def learnt(self, nodeid: int) -> list[str]:
        """List addresses of a node that no file names."""


class Refused(Exception):
    """
    A configuration cannot be put in force; nothing was changed.

    ``args[0]`` says where in the file and why.
    """


@dataclass(frozen=True, slots=True)
class Parts:
    """
    What a running node is made of, as far as a configuration reaches.

    :ivar pump: has the stack polled, later in this turn of the loop.
    """

    stack: Stack
    links: Links
    logsys: Logsys
    opener: LogOpener
    journal: Journal
    now_ns: Callable[[], int]
    pump: Callable[[], None]


class Running:
    """
    The configuration that a node runs with.

    :ivar config: in force.
    :ivar parts: of the node.
    """

    def __init__(self, config: Config, parts: Parts) -> None:
        self.config = config
        self.parts = parts

    def adopt(self, config: Config) -> Deferred[None]:
        """
        Put a configuration in force, all of it or nothing.

        At once, unless other log files are to be opened: then when they are. No other may be
        adopted meanwhile.

        Pre: what cannot change at run time is what it was.
        :return: fails with Refused.
        """
        settings = log_settings(config.logging)
        if settings == log_settings(self.config.logging):
            return succeed(None).addCallback(lambda _: self._adopt(config, None))

        def refused(failure: Failure) -> None:
            failure.trap(LogFileError)  # type: ignore[no-untyped-call]
            assert isinstance(failure.value, LogFileError)
            raise Refused(log_file_fault(config, failure.value))

        opened = self.parts.opener.open(settings)
        return opened.addCallbacks(lambda log: self._adopt(config, log), refused)

    def _adopt(self, config: Config, fresh_log: Logsys | None) -> None:
        try:
            self._adopt_votes(config)
        except CsInvalidParam as error:
            if fresh_log is not None:
                self.parts.opener.discard(fresh_log)
            raise Refused(f"{config.file}: quorum: {error}") from error
        # From here on nothing fails.
        old, self.config = self.config, config
        parts = self.parts
        parts.links.adopt(old, config)
        parts.stack.reconfigure(totem_params(config, config.nodeid), parts.now_ns())
        if fresh_log is not None:
            parts.logsys.take_over(fresh_log)
            logging = config.logging
            with_place = logging.fileline or logging.function_name
            parts.journal.reconfigure(parts.logsys, with_place=with_place)
            parts.journal.flight.follow(wanted=logging.blackbox)
            parts.stack.srp.trace_visits(parts.journal.traces_visits)
        parts.pump()

    def _adopt_votes(self, config: Config) -> None:
        # Also when the file says what it said: what was changed by hand goes back to it.
        votequorum = self.parts.stack.votequorum
        if votequorum is not None:
            votequorum.reconfigure(service_params(config).voting())
