"""
Put a record into words, and carry the table of events in a file.

Texts of a table that comes from a file are substituted, never formatted: whoever wrote the file
has no say in what happens here.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from corosync_tw.corotypes import NS_PER_MS, NS_PER_S
from corosync_tw.logsys.flight.events import LISTS, TEXT, WORDS, Event, Field, Words
from corosync_tw.logsys.flight.layout import Lane
from corosync_tw.logsys.flight.table import EVENTS

Value = int | str | tuple[int, ...]

_GROUP: Final = re.compile(r"\[(?:(\w+)=(-?\d+)\|)?([^\[\]]*)\]")
_FIELD: Final = re.compile(r"\{(\w+)\}")
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
_UNNAMED: Final = re.compile(r"[^\x20-\x7e]")
EVENTS_MAX: Final = 4096
FIELDS_MAX: Final = 16
TEXT_LEN_CHARS_MAX: Final = 500
# More of them are told in seconds.
_MS_SHOWN_MAX: Final = 10_000


class Table:
    """Events by code, and the words of their values."""

    def __init__(self, events: Mapping[int, Event], words: Words) -> None:
        self._events = events
        self.words = words

    def event(self, code: int) -> Event:
        """Give an event; one that the table does not know is named by its number."""
        known = self._events.get(code)
        if known is not None:
            return known
        fields = tuple(Field(name, "number") for name in "abcd")
        text = f"event {code} {{a}} {{b}} {{c}} {{d}}"
        return Event(code, f"event_{code}", "MAIN", Lane.EVENTS, fields, text)

    def encode(self) -> bytes:
        """Write the table for the header of a file."""
        rows = [
            [e.code, e.name, e.subsys, " ".join(f"{f.name}:{f.kind}" for f in e.fields), e.text]
            for e in self._events.values()
        ]
        return json.dumps({"events": rows, "words": self.words}, separators=(",", ":")).encode()

    def say(self, event: Event, values: Mapping[str, Value]) -> str:
        """Put an event into words."""
        kinds = {field.name: field.kind for field in event.fields}

        def group(match: re.Match[str]) -> str:
            name, wanted, inner = match.groups()
            if name is not None:
                return inner if values.get(name) == int(wanted) else ""
            return inner if any(values.get(word) for word in _FIELD.findall(inner)) else ""

        def field(match: re.Match[str]) -> str:
            word = match[1]
            return self.word(kinds.get(word, "number"), values[word]) if word in values else "?"

        return _FIELD.sub(field, _GROUP.sub(group, event.text))

    def word(self, kind: str, value: Value) -> str:
        """Put one value into words."""
        if isinstance(value, str):
            return value
        if isinstance(value, tuple):
            return " ".join(f"{each:x}" if kind == "seqs" else str(each) for each in value)
        match kind:
            case "hex":
                return f"{value:x}"
            case "ms":
                return f"{value} ms"
            case "ns":
                return _length_text(value)
            case _:
                return self.words.get(kind, {}).get(value, str(value))


def _length_text(length_ns: int) -> str:
    if abs(length_ns) < _MS_SHOWN_MAX * NS_PER_MS:
        return f"{length_ns / NS_PER_MS:.3f} ms"
    return f"{length_ns / NS_PER_S:.3f} s"


OURS: Final = Table(EVENTS, WORDS)


def decode_table(data: bytes) -> Table:
    """
    Read the table of a file.

    Raises: ValueError, when it is no table of events.
    """
    try:
        read: Any = json.loads(data)
        rows, words = read["events"], read["words"]
        events = [_event(*row) for row in rows[:EVENTS_MAX]]
        named: Words = {
            str(kind): {int(number): _clean(text) for number, text in known.items()}
            for kind, known in words.items()
        }
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"no table of events: {error}") from error
    return Table({event.code: event for event in events}, named)


def _event(code: int, name: str, subsys: str, fields: str, text: str) -> Event:
    if not isinstance(code, int) or not _NAME.fullmatch(name):
        raise ValueError("an event without a name")
    made = []
    for word in fields.split(" ")[:FIELDS_MAX]:
        if word:
            field, _, kind = word.partition(":")
            if not _NAME.fullmatch(field):
                raise ValueError("a field without a name")
            made.append(Field(field, kind))
    known = EVENTS.get(code)
    lane = Lane.EVENTS if known is None else known.lane
    return Event(code, name, _clean(subsys), lane, tuple(made), _clean(text))


def _clean(text: str) -> str:
    return _UNNAMED.sub("?", text[:TEXT_LEN_CHARS_MAX])


def is_tail(field: Field) -> bool:
    """Tell whether a field is the list or text behind the integers."""
    return field.kind == TEXT or field.kind in LISTS
