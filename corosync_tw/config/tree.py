"""
What the grammar makes of a corosync.conf: nested sections of keys, each with its line.

The tree says nothing about meaning; ``reader`` gives it one.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Item:
    """
    One ``key: value`` line.

    :ivar line_no: 1 for the first line of the file; not part of equality.
    """

    key: str
    value: str
    line_no: int = field(default=0, compare=False)


@dataclass(slots=True)
class Section:
    """
    One ``name { ... }`` block, or the whole file when ``name`` is empty.

    :ivar entries: items and sections in the order of the file.
    """

    name: str
    line_no: int = field(default=0, compare=False)
    entries: list["Item | Section"] = field(default_factory=list)

    def items(self) -> Iterator[Item]:
        """Yield the keys written directly in this section."""
        return (entry for entry in self.entries if isinstance(entry, Item))

    def sections(self) -> Iterator["Section"]:
        """Yield the sections written directly in this section."""
        return (entry for entry in self.entries if isinstance(entry, Section))


def walk(root: Section) -> Iterator[tuple[str, Section]]:
    """
    Yield every section with its dotted path, parents first, in the order of the file.

    The root has the path ``""``. No recursion: depth is data of the user.
    """
    pending = [("", root)]
    while pending:
        path, section = pending.pop()
        yield path, section
        prefix = f"{path}." if path else ""
        children = [(f"{prefix}{child.name}", child) for child in section.sections()]
        pending.extend(reversed(children))


def render(root: Section) -> str:
    """Write a tree as corosync.conf text, such that reading it again gives an equal tree."""
    lines: list[str] = []
    pending: list[tuple[int, Item | Section | None]] = [(0, e) for e in reversed(root.entries)]
    while pending:
        depth, entry = pending.pop()
        indent = "\t" * depth
        if entry is None:
            lines.append(f"{indent}}}")
        elif isinstance(entry, Item):
            line = f"{indent}{entry.key}: {entry.value}".rstrip(" \t")
            # A reader takes a carriage return off the end of a line, but not from before a blank.
            lines.append(f"{line} " if line.endswith("\r") else line)
        else:
            lines.append(f"{indent}{entry.name} {{")
            pending.append((depth, None))
            pending.extend((depth + 1, child) for child in reversed(entry.entries))
    return "".join(f"{line}\n" for line in lines)
