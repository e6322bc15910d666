"""
What tools print on two nodes, made comparable: numbers that move become words, all else stays.

Only values that differ between two runs of one and the same daemon are replaced, and only where
such a value stands: a missing line, another key, type, name or state still shows.
"""

import re
from collections.abc import Callable, Iterable

# Keys of the maps whose number is a matter of the moment.
_MOVING_KEYS = (
    r"runtime\.services\.\w+\.\d+\.[rt]x",
    r"runtime\.members\.\d+\.join_count",
    r"stats\.srp\.\w+",
    r"stats\.pg\.msg_\w+",
    r"stats\.ipcs\.global\.(?:active|closed)",
    (
        r"stats\.ipcs\.service\d\.<pid>\.<pointer>\."
        r"(?:requests|responses|dispatched|sent|queued|queueing|overload|\w+_retries"
        r"|flow_control_count)"
    ),
    r"resources\.process\.\d+\.last_updated",
)
_NUMBER = r"-?\d+(?:\.\d+)?"

_RULES: tuple[tuple[str, str], ...] = (
    (r"^(Date: +)\w{3} \w{3} +\d+ \d\d:\d\d:\d\d \d{4}$", r"\1<date>"),
    # The representative stays.
    (r"^(Ring ID: +\d+)\.[0-9a-f]+$", r"\1.<seq>"),
    (r"(stats\.ipcs\.service\d)\.\d+\.0x[0-9a-f]+\.", r"\1.<pid>.<pointer>."),
    (rf"^((?:{'|'.join(_MOVING_KEYS)}) \(\w+\) = ){_NUMBER}$", r"\1<number>"),
    # A process in the table of corosync-cpgtool, plain (a column of ten places) and with -d.
    (r"^\t\t(?=[ \d]{10}\t) *\d+(\t +\d+ \([0-9a-f.:]+\))$", r"\t\t<pid>\1"),
    (r"^([^;\n]+;)\d+(;\d+)$", r"\1<pid>\2"),
    # A client in the words of corosync-notifyd, and its files in those of libqb.
    (r"0x[0-9a-f]+\.\d+\.(\S+ is now (?:dis)?connected)", r"<pointer>.<pid>.\1"),
    (r"/qb-\d+-\d+-\d+-\w{6}/", "/qb-<pid>-<pid>-<fd>-<random>/"),
)
_COMPILED = tuple((re.compile(pattern, re.MULTILINE), word) for pattern, word in _RULES)


def normalised(text: str, directory: str = "") -> str:
    """Replace what moves; ``directory``, the node's own, becomes a word too."""
    if directory:
        text = text.replace(directory, "<directory>")
    for pattern, word in _COMPILED:
        text = pattern.sub(word, text)
    return text


def without(text: str, unwanted: Callable[[str], bool]) -> str:
    """Drop whole lines."""
    return "".join(line for line in text.splitlines(keepends=True) if not unwanted(line))


def key_names(listing: str) -> list[str]:
    """Name the keys of a corosync-cmapctl listing in its order."""
    return [match[1] for match in re.finditer(r"^(\S+) \(\w+\)", listing, re.MULTILINE)]


def numbers(listing: str, keys: Iterable[str]) -> dict[str, float]:
    """Read keys of a corosync-cmapctl listing; one that is not there is not in the answer."""
    found = dict(re.findall(rf"^(\S+) \(\w+\) = ({_NUMBER})$", listing, re.MULTILINE))
    return {key: float(found[key]) for key in keys if key in found}
