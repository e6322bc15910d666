"""
Filling one section class from the sections of the tree that have its path.

Source: corosync 3.1.10 exec/coroparse.c, main_config_parser_cb; exec/icmap.c, icmap_check_key_name.
"""

import re
from collections.abc import Iterable
from typing import Any, Final, TypeVar

from corosync_tw.config.directive import Directive, SectionConfig, directives
from corosync_tw.config.report import Report
from corosync_tw.config.tree import Item, Section
from corosync_tw.config.values import Misspelt

_CMAP_KEY: Final = re.compile(r"[A-Za-z0-9._/:-]{3,255}")
SectionT = TypeVar("SectionT", bound=SectionConfig)


class SectionReader:
    """
    Reads values and keeps what was found.

    :ivar extra: keys that no directive claims, by dotted path; the last of several counts.
    """

    def __init__(self, report: Report) -> None:
        self.report = report
        self.extra: dict[str, str] = {}

    def read(
        self,
        cls: type[SectionT],
        path: str,
        sections: Iterable[Section],
        *,
        other_keys: re.Pattern[str] | None = None,
        faults_are_warnings: bool = False,
        **fields: Any,
    ) -> SectionT:
        """
        Make one section object out of all sections that have a path.

        :param other_keys: keys that the caller reads itself.
        :param faults_are_warnings: for sections that stock stores for others without looking.
        :param fields: fields that are not directives.
        """
        by_key = {declared.key: (name, declared) for name, declared in directives(cls)}
        lines: dict[str, int] = {}
        line_no = 0
        for section in sections:
            line_no = line_no or section.line_no
            seen: dict[str, int] = {}
            for item in section.items():
                self._check_repetition(path, item, seen)
                if item.key in by_key:
                    name, declared = by_key[item.key]
                    lines[item.key] = item.line_no
                    fields.pop(name, None)
                    value = self._value(path, item, declared, faults_are_warnings)
                    if value is not None and not (declared.zero_is_default and value == 0):
                        fields[name] = value
                elif other_keys is not None and other_keys.fullmatch(item.key):
                    self.check_key_name(path, item)
                else:
                    self.keep_unknown(path, item)
        return cls(path=path, line_no=line_no, lines=lines, **fields)

    def _check_repetition(self, path: str, item: Item, seen: dict[str, int]) -> None:
        if item.key in seen:
            self.report.warning_at(
                item.line_no, f"{path}.{item.key}", f"overrides line {seen[item.key]}, remove one"
            )
        seen[item.key] = item.line_no

    def _value(
        self, path: str, item: Item, declared: Directive, faults_are_warnings: bool
    ) -> object:
        """Return the value of an item, None when its default is to stand."""
        name = f"{path}.{item.key}"
        try:
            value = declared.kind.read(item.value)
        except Misspelt as error:
            self.report.warning_at(
                item.line_no, name, f"{error}; the default is used, as in Corosync"
            )
            return None
        except ValueError as error:
            if faults_are_warnings:
                self.report.warning_at(item.line_no, name, str(error))
            else:
                self.report.fault_at(item.line_no, name, str(error))
            return None
        if declared.no_effect:
            self.report.warning_at(item.line_no, name, f"has no effect, {declared.no_effect}")
        return value

    def check_key_name(self, path: str, item: Item) -> bool:
        """Report a key that cmap could not store; tell whether it can."""
        name = f"{path}.{item.key}" if path else item.key
        if _CMAP_KEY.fullmatch(name):
            return True
        self.report.fault_at(
            item.line_no,
            name,
            'Can\'t store key, a key is 3 to 255 letters, digits and ". _ - / :" with its sections',
        )
        return False

    def keep_unknown(self, path: str, item: Item, warning: str = "") -> None:
        """
        Keep a key that no directive claims.

        :param warning: what to say; by default that the key is unknown.
        """
        if self.check_key_name(path, item):
            name = f"{path}.{item.key}" if path else item.key
            self.extra[name] = item.value
            self.report.warning_at(
                item.line_no, name, warning or "is not a directive, kept for readers of cmap"
            )
