"""
``uidgid`` sections and the files of ``uidgid.d``: who beside root may connect.

Source: corosync 3.1.10 exec/coroparse.c, uid_determine, gid_determine,
read_uidgid_files_into_icmap.
"""

import re
from collections.abc import Callable, Iterable
from typing import Final

from corosync_tw.config.host import Host
from corosync_tw.config.report import Report
from corosync_tw.config.schema_services import UidGidConfig
from corosync_tw.config.tree import Item, Section
from corosync_tw.config.values import UINT32_MAX

_NUMBER: Final = re.compile(r"[+]?[0-9]{1,10}", re.ASCII)


def _number_of(item: Item, look_up: Callable[[str], int]) -> int:
    """Return the number of a user or group; raises KeyError."""
    if _NUMBER.fullmatch(item.value) and int(item.value) <= UINT32_MAX:
        return int(item.value)
    try:
        return look_up(item.value)
    except ValueError:  # a name with a NUL or a lone surrogate
        raise KeyError(item.value) from None


def _read_section(section: Section, host: Host, report: Report) -> tuple[set[int], set[int]]:
    uids: set[int] = set()
    gids: set[int] = set()
    for item in section.items():
        if item.key not in {"uid", "gid"}:
            report.fault_at(
                item.line_no, f"uidgid.{item.key}", "is unknown, only uid and gid are allowed"
            )
            continue
        try:
            if item.key == "uid":
                uids.add(_number_of(item, host.uid_of))
            else:
                gids.add(_number_of(item, host.gid_of))
        except KeyError:
            kind = "user" if item.key == "uid" else "group"
            report.fault_at(
                item.line_no,
                f"uidgid.{item.key}",
                f'the {kind} "{item.value}" does not exist here, name one that does',
            )
    for child in section.sections():
        report.fault_at(
            child.line_no, f"uidgid.{child.name}", "no section is allowed within uidgid"
        )
    return uids, gids


def read_uidgid(sections: Iterable[Section], host: Host, report: Report) -> UidGidConfig:
    """Collect users and groups of all ``uidgid`` sections of one file."""
    uids: set[int] = set()
    gids: set[int] = set()
    line_no = 0
    for section in sections:
        line_no = line_no or section.line_no
        more_uids, more_gids = _read_section(section, host, report)
        uids |= more_uids
        gids |= more_gids
    return UidGidConfig(path="uidgid", line_no=line_no, uids=frozenset(uids), gids=frozenset(gids))


def read_uidgid_file(root: Section, host: Host, report: Report) -> UidGidConfig:
    """Read one file of uidgid.d, in which nothing but ``uidgid`` may stand."""
    for item in root.items():
        report.fault_at(item.line_no, item.key, "only a uidgid section is allowed here")
    for section in root.sections():
        if section.name != "uidgid":
            report.fault_at(section.line_no, section.name, "only a uidgid section is allowed here")
    return read_uidgid((s for s in root.sections() if s.name == "uidgid"), host, report)
