"""From the logging section to settings."""

from corosync_tw.config.schema_services import (
    LoggerSubsysConfig,
    LoggingConfig,
    LoggingDaemonConfig,
)
from corosync_tw.logsys.configured import log_settings
from corosync_tw.logsys.levels import Level
from corosync_tw.logsys.settings import Debug, LogSettings, SubsysSettings, Timestamp


def test_nothing_said_is_stocks_default():
    assert log_settings(LoggingConfig()) == LogSettings(
        SubsysSettings(True, True, False, None, Level.INFO, Level.INFO, Debug.OFF, "daemon"),
        {},
        Timestamp.HIRES,
        False,
        False,
        True,
    )


def test_everything_said_is_taken():
    settings = log_settings(
        LoggingConfig(
            to_stderr=False,
            to_syslog=False,
            to_logfile=True,
            logfile="/x.log",
            logfile_priority="err",
            syslog_priority="debug",
            syslog_facility="local3",
            debug="trace",
            timestamp="off",
            fileline=True,
            function_name=True,
            blackbox=False,
        )
    )
    assert settings == LogSettings(
        SubsysSettings(
            False, False, True, "/x.log", Level.ERROR, Level.DEBUG, Debug.TRACE, "local3"
        ),
        {},
        Timestamp.OFF,
        True,
        True,
        False,
    )


def test_old_names_still_work():
    default = log_settings(LoggingConfig(to_file=True, syslog_level="warning")).default
    assert default.to_logfile
    assert default.syslog_priority is Level.WARNING


def test_subsystems_inherit_and_override():
    settings = log_settings(
        LoggingConfig(
            to_syslog=False,
            logfile="/x.log",
            subsystems=(
                LoggerSubsysConfig(subsys="totem", debug="on", syslog_facility="user"),
                LoggerSubsysConfig(subsys="CPG", to_stderr=False, logfile="/cpg.log"),
                LoggerSubsysConfig(),
            ),
            daemons=(
                LoggingDaemonConfig(name="corosync", subsys="TOTEM", to_logfile=True),
                LoggingDaemonConfig(name="other", subsys="MAIN", debug="on"),
            ),
        )
    )
    assert set(settings.subsystems) == {"TOTEM", "CPG"}
    totem, cpg = settings.of("TOTEM"), settings.of("CPG")
    assert (totem.debug, totem.to_logfile, totem.logfile) == (Debug.ON, True, "/x.log")
    assert (cpg.to_stderr, cpg.to_syslog, cpg.logfile) == (False, False, "/cpg.log")
    assert (totem.syslog_facility, cpg.syslog_facility) == ("user", "daemon")
    assert settings.of("MAIN") is settings.default
