"""
From the tree to typed sections: every section finds its class, every key its directive.

Repeated sections are merged and a repeated key counts as the last one says, as in stock, where both
end in one flat map.
Source: corosync 3.1.10 exec/coroparse.c, main_config_parser_cb.
"""

import re
from dataclasses import replace
from typing import Final

from corosync_tw.config import legacy
from corosync_tw.config.directive import directives
from corosync_tw.config.host import Host
from corosync_tw.config.links import LINKS_MAX
from corosync_tw.config.read_logging import read_logging
from corosync_tw.config.report import Report
from corosync_tw.config.schema import SECTION_CLASSES, Sections
from corosync_tw.config.schema_services import (
    CfgConfig,
    DeviceNetConfig,
    HeuristicsConfig,
    MonitorConfig,
    NozzleConfig,
    PloadConfig,
    QuorumConfig,
    QuorumDeviceConfig,
    ResourcesConfig,
    SystemConfig,
)
from corosync_tw.config.schema_totem import InterfaceConfig, NodeConfig, TotemConfig
from corosync_tw.config.section_reader import SectionReader
from corosync_tw.config.tree import Section, walk
from corosync_tw.config.uidgid import read_uidgid

_RING_ADDR: Final = re.compile(r"ring([0-9]{1,9})_addr", re.ASCII)
_EXEC: Final = re.compile(r"exec_(.+)")
_MONITOR: Final = re.compile(r"resources\.(system|process)(\.[^.]+)?")
# Sections that hold only sections.
_CONTAINERS: Final = frozenset({"", "nodelist"})
_KNOWN: Final = frozenset(
    {*SECTION_CLASSES, "totem.interface.member", "uidgid"},
)


_NAMES: Final = frozenset(path.rpartition(".")[2] for path in _KNOWN)


def _is_known(path: str) -> bool:
    return path in _KNOWN or path in _CONTAINERS or bool(_MONITOR.fullmatch(path))


class _Paths:
    """The sections of a tree by their dotted path, in the order of the file."""

    def __init__(self, root: Section) -> None:
        self.by_path: dict[str, list[Section]] = {}
        self.nodes: list[list[Section]] = []
        self.second_nodelist_line_no = 0
        position = 0
        for path, section in walk(root):
            self.by_path.setdefault(path, []).append(section)
            if path == "nodelist":
                self.second_nodelist_line_no = section.line_no if self.nodes else 0
                position = 0
            elif path == "nodelist.node":
                # Stock counts anew in every nodelist, so a second one overlays the first.
                if position == len(self.nodes):
                    self.nodes.append([])
                self.nodes[position].append(section)
                position += 1

    def __getitem__(self, path: str) -> list[Section]:
        return self.by_path.get(path, [])


def read_sections(root: Section, host: Host, report: Report) -> Sections:
    """
    Give a tree its meaning.

    Faults and warnings go to ``report``; with a fault, the sections are what could be read.
    """
    reader = SectionReader(report)
    paths = _Paths(root)
    _check_nesting(paths, report)
    _read_unknown(paths, reader)
    if paths.second_nodelist_line_no:
        report.warning_at(
            paths.second_nodelist_line_no,
            "nodelist",
            "a second nodelist overlays the first node by node, write one list",
        )
    totem = reader.read(TotemConfig, "totem", paths["totem"])
    rings = totem.rrp_mode != "none" and _is_udp(totem, paths)
    interfaces = tuple(_read_interfaces(paths["totem.interface"], reader, rings=rings))
    return Sections(
        file=report.file,
        root=root,
        totem=replace(totem, interfaces=interfaces),
        nodelist=tuple(_read_node(sections, reader) for sections in paths.nodes),
        quorum=_read_quorum(paths, reader),
        logging=read_logging(
            paths["logging"],
            paths["logging.logger_subsys"],
            paths["logging.logging_daemon"],
            reader,
        ),
        system=reader.read(SystemConfig, "system", paths["system"]),
        resources=_read_resources(paths, reader),
        nozzle=reader.read(NozzleConfig, "nozzle", paths["nozzle"]),
        pload=reader.read(PloadConfig, "pload", paths["pload"]),
        cfg=reader.read(CfgConfig, "cfg", paths["cfg"]),
        uidgid=read_uidgid(paths["uidgid"], host, report),
        extra=reader.extra,
    )


def _is_udp(totem: TotemConfig, paths: _Paths) -> bool:
    """Tell whether the transport is udp or udpu; without a nodelist udp is the default."""
    return totem.transport in {"udp", "udpu"} or (totem.transport is None and not paths.nodes)


def _check_nesting(paths: _Paths, report: Report) -> None:
    """
    Refuse a section that stands inside another where it means nothing: a brace is missing.

    Deviation: stock keeps it in cmap, and so loses the nodes behind an unclosed node in silence.
    """
    for path, sections in paths.by_path.items():
        if not path or not _is_known(path):
            continue
        for section in sections:
            for child in section.sections():
                name = f"{path}.{child.name}"
                if child.name in _NAMES and not _is_known(name):
                    report.fault_at(
                        child.line_no,
                        name,
                        f"{child.name} cannot stand inside {path}, close the section of line "
                        f'{section.line_no} with "}}" first',
                    )


def _read_unknown(paths: _Paths, reader: SectionReader) -> None:
    """Keep the keys of sections that 3.x does not know, and say so once a section."""
    for path, sections in paths.by_path.items():
        top = path.partition(".")[0]
        if path in _KNOWN or _MONITOR.fullmatch(path) or top == "uidgid":
            continue
        for section in sections:
            if path not in _CONTAINERS:
                reason = legacy.SECTIONS.get(top)
                reader.report.warning_at(
                    section.line_no,
                    path,
                    f"has no effect, {reason}"
                    if reason
                    else "is not a section, kept for readers of cmap",
                )
            for item in section.items():
                reason = legacy.KEYS.get(item.key) if path == "" else None
                reader.keep_unknown(path, item, f"has no effect, {reason}" if reason else "")


def _read_interfaces(
    sections: list[Section], reader: SectionReader, *, rings: bool
) -> list[InterfaceConfig]:
    """
    Read the interface sections; those of the same link become one.

    :param rings: ``ringnumber`` counts.
    """
    by_link: dict[int, InterfaceConfig] = {}
    for section in sections:
        members = _read_members(section, reader)
        interface = reader.read(InterfaceConfig, "totem.interface", [section], members=members)
        if interface.ringnumber and not interface.given("linknumber"):
            if not rings:
                reader.report.warning(
                    interface,
                    "ringnumber",
                    f"ring {interface.ringnumber} has no effect without rrp_mode on udp or udpu; "
                    "links of knet have a linknumber, and ringX_addr in a nodelist",
                )
                continue
            interface = replace(interface, linknumber=interface.ringnumber)
        earlier = by_link.get(interface.linknumber)
        if earlier is not None:
            interface = _overlay(earlier, interface)
        by_link[interface.linknumber] = interface
    for interface in by_link.values():
        if interface.linknumber >= LINKS_MAX and set(interface.lines) - {"linknumber"}:
            reader.report.fault(
                interface,
                "linknumber",
                f"{interface.linknumber} is bigger than allowed maximum {LINKS_MAX - 1}",
            )
    return [by_link[number] for number in sorted(by_link)]


def _overlay(earlier: InterfaceConfig, later: InterfaceConfig) -> InterfaceConfig:
    """Merge two sections of one link; what the later one gives counts."""
    return replace(
        earlier,
        lines={**earlier.lines, **later.lines},
        members=later.members or earlier.members,
        **{name: getattr(later, name) for name in _given_fields(later)},
    )


def _given_fields(interface: InterfaceConfig) -> list[str]:
    return [name for name, d in directives(InterfaceConfig) if interface.given(d.key)]


def _read_members(section: Section, reader: SectionReader) -> tuple[tuple[str, int], ...]:
    """Read the ``member`` blocks of one interface."""
    found: list[tuple[str, int]] = []
    for member in section.sections():
        if member.name != "member":
            continue
        for item in member.items():
            if item.key == "memberaddr":
                found.append((item.value, item.line_no))
            else:
                reader.report.fault_at(
                    item.line_no,
                    f"totem.interface.member.{item.key}",
                    "is unknown, only memberaddr is allowed in member section",
                )
        for child in member.sections():
            reader.report.fault_at(
                child.line_no,
                f"totem.interface.member.{child.name}",
                "no section is allowed within member",
            )
    return tuple(found)


def _read_node(sections: list[Section], reader: SectionReader) -> NodeConfig:
    addresses: dict[int, str] = {}
    for section in sections:
        for item in section.items():
            match = _RING_ADDR.fullmatch(item.key)
            if match is None:
                continue
            if int(match[1]) >= LINKS_MAX:
                reader.report.fault_at(
                    item.line_no,
                    f"nodelist.node.{item.key}",
                    f"interface ring number {match[1]} is bigger than allowed maximum "
                    f"{LINKS_MAX - 1}",
                )
            else:
                addresses[int(match[1])] = item.value
    node = reader.read(
        NodeConfig,
        "nodelist.node",
        sections,
        other_keys=_RING_ADDR,
        ring_addrs=tuple(sorted(addresses.items())),
    )
    lines = {i.key: i.line_no for section in sections for i in section.items()}
    return replace(node, lines=lines)


def _read_quorum(paths: _Paths, reader: SectionReader) -> QuorumConfig:
    device = None
    if any(path.startswith("quorum.device") for path in paths.by_path):
        heuristics = paths["quorum.device.heuristics"]
        commands = tuple(
            (match[1], item.value)
            for section in heuristics
            for item in section.items()
            if (match := _EXEC.fullmatch(item.key))
        )
        device = reader.read(
            QuorumDeviceConfig,
            "quorum.device",
            paths["quorum.device"],
            net=reader.read(DeviceNetConfig, "quorum.device.net", paths["quorum.device.net"]),
            heuristics=reader.read(
                HeuristicsConfig,
                "quorum.device.heuristics",
                heuristics,
                other_keys=_EXEC,
                commands=commands,
            ),
        )
    return reader.read(QuorumConfig, "quorum", paths["quorum"], device=device)


def _read_resources(paths: _Paths, reader: SectionReader) -> ResourcesConfig:
    monitors = tuple(
        reader.read(MonitorConfig, path, sections)
        for path, sections in paths.by_path.items()
        if _MONITOR.fullmatch(path)
    )
    return reader.read(ResourcesConfig, "resources", paths["resources"], monitors=monitors)
