"""
Reading ``logging``, where ``logger_subsys`` and ``logging_daemon`` are keyed by what stands in
them.

Source: corosync 3.1.10 exec/coroparse.c (states LOGGER_SUBSYS, LOGGING_DAEMON), exec/logconfig.c.
"""

from collections.abc import Sequence
from typing import Final

from corosync_tw.config.directive import SectionConfig
from corosync_tw.config.schema_services import (
    LoggerSubsysConfig,
    LoggingConfig,
    LoggingDaemonConfig,
)
from corosync_tw.config.section_reader import SectionReader
from corosync_tw.config.tree import Item, Section

SUBSYS_NAME_LEN_BYTES_MAX: Final = 63
SUBSYSTEMS: Final = frozenset(
    {
        "MAIN", "SERV", "SYNC", "TOTEM", "KNET", "CFG", "CMAP", "CPG", "QUORUM", "VOTEQ", "YKD",
        "MON", "WD", "PLOAD", "STATS", "APIDEF", "QB",
    }
)  # fmt: skip
_SUBSYS_PATH: Final = "logging.logger_subsys"
_DAEMON_PATH: Final = "logging.logging_daemon"


def _last(section: Section, key: str) -> Item | None:
    found = None
    for item in section.items():
        if item.key == key:
            found = item
    return found


def _without(section: Section, *keys: str) -> Section:
    """Copy a section without some of its keys."""
    kept = [e for e in section.entries if not (isinstance(e, Item) and e.key in keys)]
    return Section(section.name, section.line_no, kept)


class _LoggingReader:
    """Sorts the sections of ``logging`` by the subsystem or daemon that they are about."""

    def __init__(self, reader: SectionReader) -> None:
        self.reader = reader
        self.main: list[Section] = []
        self.subsystems: dict[str, list[Section]] = {}
        self.daemons: dict[tuple[str, str], list[Section]] = {}

    def add_subsystem(self, section: Section) -> None:
        subsys = _last(section, "subsys")
        if subsys is None:
            self.reader.report.fault_at(
                section.line_no, _SUBSYS_PATH, 'has no subsys, write "subsys: TOTEM"'
            )
            return
        stored = Item(f"{subsys.value}.subsys", "", subsys.line_no)
        if not self.reader.check_key_name(_SUBSYS_PATH, stored):
            return
        if len(subsys.value) > SUBSYS_NAME_LEN_BYTES_MAX:
            self.reader.report.fault_at(
                subsys.line_no,
                f"{_SUBSYS_PATH}.subsys",
                f"has {len(subsys.value)} characters, at most {SUBSYS_NAME_LEN_BYTES_MAX} are "
                "allowed",
            )
            return
        if subsys.value not in SUBSYSTEMS:
            self.reader.report.warning_at(
                subsys.line_no,
                f"{_SUBSYS_PATH}.subsys",
                f'"{subsys.value}" is not a subsystem, there are {" ".join(sorted(SUBSYSTEMS))}',
            )
        self.subsystems.setdefault(subsys.value, []).append(section)

    def add_daemon(self, section: Section) -> None:
        name = _last(section, "name")
        subsys = _last(section, "subsys")
        if name is None:
            self.reader.report.fault_at(
                section.line_no, _DAEMON_PATH, 'has no name, write "name: corosync"'
            )
        elif name.value != "corosync":
            subsys_name = "" if subsys is None else subsys.value
            self.daemons.setdefault((name.value, subsys_name), []).append(section)
        elif subsys is None:
            self.main.append(_without(section, "name"))
        else:
            self.add_subsystem(_without(section, "name"))


def read_logging(
    main: Sequence[Section],
    subsystems: Sequence[Section],
    daemons: Sequence[Section],
    reader: SectionReader,
) -> LoggingConfig:
    """Read the sections ``logging``, ``logging.logger_subsys`` and ``logging.logging_daemon``."""
    logging = _LoggingReader(reader)
    for section in subsystems:
        logging.add_subsystem(section)
    for section in daemons:
        logging.add_daemon(section)
    config = reader.read(
        LoggingConfig,
        "logging",
        [*main, *logging.main],
        subsystems=tuple(
            reader.read(LoggerSubsysConfig, _SUBSYS_PATH, sections)
            for sections in logging.subsystems.values()
        ),
        daemons=tuple(
            reader.read(LoggingDaemonConfig, _DAEMON_PATH, sections, faults_are_warnings=True)
            for sections in logging.daemons.values()
        ),
    )
    for section_config in (config, *config.subsystems):
        _warn_of_old_names(section_config, reader)
    return config


def _warn_of_old_names(config: SectionConfig, reader: SectionReader) -> None:
    for old, new in (("to_file", "to_logfile"), ("syslog_level", "syslog_priority")):
        if config.given(old):
            reader.report.warning(config, old, f"is the old name of {new}, write {new}")
