"""
The grammar of corosync.conf: bytes to a tree with line numbers.

A statement never spans lines, so the grammar is one pyparsing expression for one line, and nesting
is a stack: a hostile file costs neither recursion nor more than the limits named here. Blank lines
and comments, the bulk of a large honest file, never reach pyparsing.
Source: corosync 3.1.10 exec/coroparse.c, parse_section and remove_whitespace.
"""

from typing import Final

from pyparsing import Literal, ParseException, ParserElement, Regex, StringEnd

from corosync_tw.config.tree import Item, Section
from corosync_tw.errors import ConfigError

# Stock reads lines into char[512]: 511 characters, the line feed among them.
LINE_LEN_BYTES_MAX: Final = 511
# Length of a cmap key, which is the dotted path of sections and key; it bounds the nesting as well.
KEY_LEN_BYTES_MAX: Final = 255
# Larger files are refused unread; a cluster of 384 nodes with 8 links needs about 200 kB.
FILE_LEN_BYTES_MAX: Final = 32 * 1024 * 1024
# Lines that say something. pyparsing reads about 30,000 of them a second.
STATEMENTS_MAX: Final = 50_000
# After so many faults the file is not a corosync.conf, and the rest would only scroll the first
# ones away.
FAULTS_MAX: Final = 50

# Blank as in stock, which since 3.1.8 also skips the no-break space: once as Latin-1 (a byte that
# is not UTF-8), once as UTF-8.
_BLANK: Final = " \t\xa0\udca0"


def _line_grammar() -> ParserElement:
    """
    Make the expression for one line that is neither blank nor a comment.

    The first ``{`` makes a line the head of a section whatever else is in it, then the first ``:``
    makes it a key, then a ``}`` closes: stock looks for them in this order. Text that may not stand
    beside a brace is matched and named, so that its fault can be told apart.
    """
    head = Regex(r"[^{]*")("section") + Literal("{")("open") + Regex(r".*")("after")
    item = Regex(r"[^:{]*")("key") + Literal(":") + Regex(r"[^{]*")("value")
    tail = Regex(r"[^}]*")("before") + Literal("}")("close") + Regex(r".*")("after")
    line = (head | item | tail) + StringEnd()
    line.leave_whitespace()
    # A tab inside a value is the user's; pyparsing would turn it into spaces.
    return line.parse_with_tabs()


_LINE: Final = _line_grammar()


class _Reader:
    """The stack of open sections while one file is read."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.faults: list[str] = []
        self.root = Section("")
        # Open sections, outermost first, with the length in bytes of the path down to each.
        self.stack: list[tuple[Section, int]] = [(self.root, 0)]

    def fault(self, line_no: int, text: str) -> None:
        self.faults.append(f"{self.file}:{line_no}: {self._path()}{text}")
        if len(self.faults) >= FAULTS_MAX:
            self.faults.append(
                f"{self.file}:{line_no}: more than {FAULTS_MAX} faults, reading ends here; "
                "is this a corosync.conf?"
            )
            raise ConfigError(self.faults)

    def _path(self) -> str:
        """Name the open section, for the front of a fault."""
        path = ".".join(section.name for section, _ in self.stack[1:])
        return f"{path}: " if path else ""

    def _path_len_bytes(self, name: str) -> int:
        """Return the length of the path down to ``name``; stock counts a dot at the top too."""
        return self.stack[-1][1] + 1 + len(name.encode("utf-8", "surrogateescape"))

    def open_section(self, before: str, after: str, line_no: int) -> None:
        name = _strip_name(before)
        if not name:
            self.fault(line_no, 'Missing section name before opening bracket "{", write "totem {"')
            name = "?"
        if after.strip(_BLANK):
            self.fault(
                line_no,
                'Extra characters after opening bracket "{", start a new line after the bracket',
            )
        path_len_bytes = self._path_len_bytes(name)
        if path_len_bytes >= KEY_LEN_BYTES_MAX:
            self.faults.append(
                f"{self.file}:{line_no}: Start of section makes total cmap path too long, "
                f"at most {KEY_LEN_BYTES_MAX - 1} bytes of section names and dots are allowed"
            )
            raise ConfigError(self.faults)
        section = Section(name, line_no)
        self.stack[-1][0].entries.append(section)
        no_dot = len(self.stack) == 1
        self.stack.append((section, path_len_bytes - no_dot))

    def add_item(self, before: str, value: str, line_no: int) -> None:
        key = before.strip(_BLANK)
        if not key:
            self.fault(line_no, 'Key name can\'t be empty, write "key: value"')
        elif self._path_len_bytes(key) >= KEY_LEN_BYTES_MAX:
            self.fault(
                line_no,
                f"New key makes total cmap path too long, at most {KEY_LEN_BYTES_MAX - 1} bytes "
                "of section names, dots and key are allowed",
            )
        else:
            self.stack[-1][0].entries.append(Item(key, value.strip(_BLANK), line_no))

    def close_section(self, before: str, after: str, line_no: int) -> None:
        if before.strip(_BLANK) or after.strip(_BLANK):
            self.fault(
                line_no,
                'Extra characters before or after closing bracket "}", give it a line of its own',
            )
        if len(self.stack) == 1:
            self.fault(line_no, 'Unexpected closing brace, no section is open; remove the "}"')
        else:
            self.stack.pop()

    def statement(self, line: str, line_no: int) -> None:
        try:
            parsed = _LINE.parse_string(line)
        except ParseException:
            self.fault(
                line_no,
                "Line is not opening or closing section or key value, "
                'write "name {", "}" or "key: value"',
            )
            return
        if "open" in parsed:
            self.open_section(parsed["section"], parsed["after"], line_no)
        elif "close" in parsed:
            self.close_section(parsed["before"], parsed["after"], line_no)
        else:
            self.add_item(parsed["key"], parsed["value"], line_no)


def _strip_name(text: str) -> str:
    """Take blanks and a colon before the bracket off a section name; keep one character."""
    name = text.strip(_BLANK)
    return name.rstrip(_BLANK + ":") or name[:1]


def _statement_text(raw: bytes, line_no: int, reader: _Reader) -> str:
    """Return what a line says, ``""`` for a blank, a comment or a line that was found faulty."""
    line = raw.removesuffix(b"\r").decode("utf-8", "surrogateescape").strip(_BLANK)
    if not line or line[0] == "#":
        return ""
    if "\0" in line:
        reader.fault(line_no, "a NUL byte, corosync.conf is text; remove it")
        return ""
    return line


def parse(content: bytes, file: str) -> Section:
    """
    Read the text of a corosync.conf.

    :param content: the whole file, in whatever encoding; what is not UTF-8 is kept as surrogates.
    :param file: its name, for the faults.
    Raises: ConfigError with up to FAULTS_MAX faults; nothing else, whatever the bytes are.
    """
    if len(content) > FILE_LEN_BYTES_MAX:
        raise ConfigError(
            [f"{file}:1: the file is larger than {FILE_LEN_BYTES_MAX} bytes, shorten it"]
        )
    reader = _Reader(file)
    lines = content.split(b"\n")
    line_count = len(lines) - (lines[-1] == b"")
    statement_count = 0
    for line_no, raw in enumerate(lines, 1):
        if not raw:
            continue
        # The line feed counts, in stock even on a last line that has none.
        if len(raw) >= LINE_LEN_BYTES_MAX:
            reader.fault(
                line_no, f"Line too long, at most {LINE_LEN_BYTES_MAX} bytes with the line feed"
            )
            continue
        line = _statement_text(raw, line_no, reader)
        if not line:
            continue
        statement_count += 1
        if statement_count > STATEMENTS_MAX:
            reader.faults.append(
                f"{file}:{line_no}: more than {STATEMENTS_MAX} lines that are not comments, "
                "shorten the file"
            )
            raise ConfigError(reader.faults)
        reader.statement(line, line_no)
    if len(reader.stack) > 1:
        opened = reader.stack[-1][0]
        reader.fault(
            max(line_count, 1),
            f'Missing closing brace, add a "}}" for the section of line {opened.line_no}',
        )
    if reader.faults:
        raise ConfigError(reader.faults)
    return reader.root
