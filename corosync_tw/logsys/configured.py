"""
From the ``logging`` section of corosync.conf to the settings of the log system.

Source: Corosync exec/logconfig.c, corosync_main_config_set; exec/coroparse.c for logging_daemon.
"""

from dataclasses import replace

from corosync_tw.config.schema_services import LoggerConfig, LoggingConfig
from corosync_tw.logsys.levels import LEVEL_BY_NAME, Level
from corosync_tw.logsys.settings import Debug, LogSettings, SubsysSettings, Timestamp


def log_settings(logging: LoggingConfig) -> LogSettings:
    """Return the settings that a ``logging`` section asks for; what it leaves out is inherited."""
    default = _override(SubsysSettings(), logging)
    subsystems: dict[str, SubsysSettings] = {}
    entries: list[tuple[str | None, LoggerConfig]] = [
        *((entry.subsys, entry) for entry in logging.subsystems),
        *((entry.subsys, entry) for entry in logging.daemons if entry.name == "corosync"),
    ]
    for subsys, entry in entries:
        if subsys:
            name = subsys.upper()
            subsystems[name] = _override(subsystems.get(name, default), entry)
    return LogSettings(
        default,
        subsystems,
        Timestamp(logging.timestamp),
        logging.fileline,
        logging.function_name,
        logging.blackbox,
    )


def _override(base: SubsysSettings, logger: LoggerConfig) -> SubsysSettings:
    return replace(
        base,
        to_stderr=_first(logger.to_stderr, base.to_stderr),
        to_syslog=_first(logger.to_syslog, base.to_syslog),
        to_logfile=_first(logger.to_logfile, logger.to_file, base.to_logfile),
        logfile=logger.logfile or base.logfile,
        logfile_priority=_level(logger.logfile_priority, base.logfile_priority),
        syslog_priority=_level(logger.syslog_priority or logger.syslog_level, base.syslog_priority),
        debug=base.debug if logger.debug is None else Debug(logger.debug),
        syslog_facility=logger.syslog_facility or base.syslog_facility,
    )


def _first(*values: bool | None) -> bool:
    return next((value for value in values if value is not None), False)


def _level(name: str | None, inherited: Level) -> Level:
    return inherited if name is None else LEVEL_BY_NAME[name]
