"""What the shell logs with: subsystem names and Corosync's priorities over twisted.logger."""

import sys
from typing import Any

from twisted.logger import Logger, LogPublisher, globalLogPublisher

from corosync_tw.logsys.levels import Level
from corosync_tw.logsys.twisted_levels import TWISTED_LEVEL


class SubsysLogger:
    """
    Emits events of one subsystem.

    Formats are twisted.logger's: ``{name}`` refers to a keyword argument; ``level`` and ``format``
    are not free as names. An argument ``corosync_kind`` says what the text has in common with
    others, of which only a few are to be printed.

    :ivar level_max: least urgent level anybody prints; cheaper events are not even made.
    :ivar with_place: find the caller's file, line and function, at a frame look-up a message.
    """

    def __init__(
        self,
        subsys: str,
        level_max: Level = Level.TRACE,
        *,
        publisher: LogPublisher = globalLogPublisher,
        with_place: bool = False,
    ) -> None:
        self.subsys = subsys
        self.level_max = level_max
        self.with_place = with_place
        self._logger = Logger(f"corosync_tw.{subsys}", observer=publisher)

    def emit(self, level: Level, text_format: str, /, **fields: Any) -> None:
        """Log one event at any level."""
        if level > self.level_max:
            return
        if self.with_place:
            frame = sys._getframe(2)
            name = frame.f_code.co_filename.rpartition("/")[2]
            fields["corosync_place"] = f"{name}:{frame.f_lineno}"
            fields["corosync_function"] = frame.f_code.co_name
        self._logger.emit(
            TWISTED_LEVEL[level],
            text_format,
            corosync_subsys=self.subsys,
            corosync_level=level,
            **fields,
        )

    def crit(self, text_format: str, /, **fields: Any) -> None:
        """Log an event that may take the node down."""
        self.emit(Level.CRIT, text_format, **fields)

    def error(self, text_format: str, /, **fields: Any) -> None:
        """Log a failure."""
        self.emit(Level.ERROR, text_format, **fields)

    def warning(self, text_format: str, /, **fields: Any) -> None:
        """Log something an administrator should look at."""
        self.emit(Level.WARNING, text_format, **fields)

    def notice(self, text_format: str, /, **fields: Any) -> None:
        """Log a normal but significant event."""
        self.emit(Level.NOTICE, text_format, **fields)

    def info(self, text_format: str, /, **fields: Any) -> None:
        """Log for information."""
        self.emit(Level.INFO, text_format, **fields)

    def debug(self, text_format: str, /, **fields: Any) -> None:
        """Log for somebody who looks for a fault."""
        self.emit(Level.DEBUG, text_format, **fields)

    def trace(self, text_format: str, /, **fields: Any) -> None:
        """Log what happens all the time."""
        self.emit(Level.TRACE, text_format, **fields)
