"""
How a directive of corosync.conf is declared: one dataclass field with its key, kind, unit and
sense.

The fields are the schema. The reader fills them from the tree, the checks read them, and the manual
can be written from them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final

from corosync_tw.config.values import Kind

_METADATA_KEY: Final = "corosync.conf"


@dataclass(frozen=True, slots=True)
class Directive:
    """
    One key of a section.

    :ivar key: as the user writes it.
    :ivar kind: of its value.
    :ivar default: when the key is absent; None where the default depends on others, see ``doc``.
    :ivar unit: ms, bytes, messages ...; empty for a word or a plain number.
    :ivar doc: one line for the manual.
    :ivar zero_is_default: stock reads 0 as if the key were absent.
    :ivar no_effect: why the key changes nothing here; the reader warns with it. Empty when it
        counts.
    """

    key: str
    kind: Kind
    default: object
    unit: str
    doc: str
    zero_is_default: bool
    no_effect: str


def directive(
    key: str,
    kind: Kind,
    default: object = None,
    *,
    unit: str = "",
    doc: str,
    zero_is_default: bool = False,
    no_effect: str = "",
) -> Any:
    """Declare a directive as the default of a dataclass field; parameters as in Directive."""
    declared = Directive(key, kind, default, unit, doc, zero_is_default, no_effect)
    return field(default=default, metadata={_METADATA_KEY: declared})


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionConfig:
    """
    What was read of one section.

    :ivar path: dotted, as in faults: ``totem.interface``.
    :ivar line_no: of the section's head, 0 when the section is absent.
    :ivar lines: line of each key that was given.
    """

    path: str = ""
    line_no: int = 0
    lines: Mapping[str, int] = field(default_factory=dict, compare=False, repr=False)

    def given(self, key: str) -> bool:
        """Tell whether the file has the key."""
        return key in self.lines

    def line_of(self, key: str) -> int:
        """Return the line of a key, or of the section when the key is absent."""
        return self.lines.get(key, self.line_no)


def directives(section: type[SectionConfig]) -> Iterator[tuple[str, Directive]]:
    """Yield (field name, directive) of a section class, in the order of declaration."""
    for entry in fields(section):
        declared = entry.metadata.get(_METADATA_KEY)
        if isinstance(declared, Directive):
            yield entry.name, declared
