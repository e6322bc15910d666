"""
What clients change in cmap while the daemon runs: keys of totem, quorum and logging, read back as
directives.

Source: corosync 3.1.7 exec/totemconfig.c, totem_change_notify; exec/logconfig.c,
main_logging_notify; exec/votequorum.c, votequorum_refresh_config.
Deviation: values that the checks refuse have no effect; stock logs them and uses them.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from corosync_tw.config.diff import FIXED_QUORUM, FIXED_TOTEM
from corosync_tw.config.directive import SectionConfig, directives
from corosync_tw.config.read_logging import read_logging
from corosync_tw.config.report import Report
from corosync_tw.config.rings import check_rings
from corosync_tw.config.schema import Config
from corosync_tw.config.schema_services import QuorumConfig
from corosync_tw.config.schema_totem import TotemConfig
from corosync_tw.config.section_reader import SectionReader
from corosync_tw.config.timing import check_timing, totem_timing
from corosync_tw.config.tree import Item, Section

LIVE_PREFIXES: Final = ("totem.", "quorum.", "logging.")
_LOGGER: Final = "logging.logger_subsys."
_DAEMON: Final = "logging.logging_daemon."
_DEVICE: Final = "quorum.device."


def with_live_keys(config: Config, texts: Mapping[str, str]) -> tuple[Config | None, list[str]]:
    """
    Read the directives again that may change at any time.

    :param texts: all keys under LIVE_PREFIXES, their values as text.
    :return: the configuration, or None and the faults.
    """
    report = Report("cmap")
    reader = SectionReader(report)
    totem = reader.read(
        TotemConfig,
        "totem",
        [_section("totem", texts, "totem.", "totem.interface.")],
        interfaces=config.totem.interfaces,
    )
    quorum = reader.read(
        QuorumConfig,
        "quorum",
        [_section("quorum", texts, "quorum.", _DEVICE)],
        device=config.quorum.device,
    )
    totem = replace(totem, **_kept(config.totem, FIXED_TOTEM), **_place(config.totem))
    quorum = replace(quorum, **_kept(config.quorum, FIXED_QUORUM), **_place(config.quorum))
    logging = read_logging(
        [_section("logging", texts, "logging.", _LOGGER, _DAEMON)],
        _loggers(texts),
        (),
        reader,
    )
    logging = replace(logging, daemons=config.logging.daemons, **_place(config.logging))
    timing = totem_timing(totem, len(config.membership.links[0].members))
    check_timing(totem, timing, report)
    changed = replace(config, totem=totem, quorum=quorum, logging=logging, timing=timing)
    check_rings(changed, changed.membership.links, report)
    if report.faults:
        return None, [fault.partition(": ")[2] for fault in report.faults]
    return changed, []


def _kept(section: SectionConfig, keys: frozenset[str]) -> dict[str, Any]:
    """Give the values that do not change while the daemon runs."""
    named = directives(type(section))
    return {name: getattr(section, name) for name, declared in named if declared.key in keys}


def _place(section: SectionConfig) -> dict[str, Any]:
    """Give where in the file the section stands, which a change in the map does not alter."""
    return {"line_no": section.line_no, "lines": section.lines}


def _section(name: str, texts: Mapping[str, str], prefix: str, *others: str) -> Section:
    """Make the section of the keys right under a prefix."""
    entries: list[Item | Section] = [
        Item(key.removeprefix(prefix), text, 1)
        for key, text in sorted(texts.items())
        if key.startswith(prefix) and not key.startswith(others)
    ]
    return Section(name, 1, entries)


def _loggers(texts: Mapping[str, str]) -> list[Section]:
    names = {
        key.removeprefix(_LOGGER).rpartition(".")[0] for key in texts if key.startswith(_LOGGER)
    }
    sections = []
    for name in sorted(names - {""}):
        section = _section("logger_subsys", texts, f"{_LOGGER}{name}.", f"{_LOGGER}{name}.subsys")
        section.entries.append(Item("subsys", name, 1))
        sections.append(section)
    return sections
