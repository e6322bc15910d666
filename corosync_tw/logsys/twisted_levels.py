"""Corosync's priorities and the levels of twisted.logger, both ways."""

from typing import Final

from twisted.logger import LogLevel

from corosync_tw.logsys.levels import Level

# The level that other observers of twisted.logger see.
TWISTED_LEVEL: Final = {
    Level.EMERG: LogLevel.critical,
    Level.ALERT: LogLevel.critical,
    Level.CRIT: LogLevel.critical,
    Level.ERROR: LogLevel.error,
    Level.WARNING: LogLevel.warn,
    Level.NOTICE: LogLevel.info,
    Level.INFO: LogLevel.info,
    Level.DEBUG: LogLevel.debug,
    Level.TRACE: LogLevel.debug,
}

LEVEL_OF_TWISTED: Final = {
    LogLevel.critical: Level.CRIT,
    LogLevel.error: Level.ERROR,
    LogLevel.warn: Level.WARNING,
    LogLevel.info: Level.INFO,
    LogLevel.debug: Level.DEBUG,
}
