"""
Our own tools beside the stock ones on one node: the same questions, the same answers.

Stock asks first. Where asking changes something, the commands undo it, so that ours find what stock
found.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.interop import tool_stories
from tests.interop.nodes import Node
from tests.interop.same_text import without

# What tool_stories does not ask.
OPTIONS = (
    "corosync-quorumtool",
    "corosync-quorumtool -lai",
    "corosync-quorumtool -pHi",
    "corosync-quorumtool -lpon",
    "corosync-quorumtool -lo x",
    "corosync-quorumtool -s -- operand",
    "corosync-quorumtool -v -1",
    "corosync-quorumtool -n 99999 -v 1",
    "corosync-cfgtool -b -s",
    "corosync-cfgtool --status",
    "corosync-cfgtool --s",
    "corosync-cfgtool --nodes=1",
    "corosync-cfgtool --kill",
    "corosync-cfgtool --unknown",
    "corosync-cfgtool -k 0",
    "corosync-cfgtool -a 4294967295",
    "corosync-cfgtool --address=3",
    "corosync-cfgtool -a",
    "corosync-cfgtool -x",
    "corosync-cfgtool -sn",
    "corosync-cpgtool -d, -n",
    "corosync-cpgtool -ned",
    "corosync-cpgtool -z",
    "corosync-cpgtool operand",
    "corosync-cmapctl -g",
    "corosync-cmapctl -m",
    "corosync-cmapctl -y",
    "corosync-cmapctl -m icmap nosuch. totem.",
    "corosync-cmapctl -g totem.version nosuch.key totem.token",
    "corosync-cmapctl -s probe.key",
    "corosync-cmapctl -s probe.key u8 0x10",
    "corosync-cmapctl -s probe.key u8 -5",
    "corosync-cmapctl -s probe.key u8 -- -5",
    "corosync-cmapctl -s probe.key bin /dev/null",
    "corosync-cmapctl -s probe.key bin nosuch.file",
    "corosync-cmapctl -s probe.big i64 99999999999999999999",
    "corosync-cmapctl -s probe.wrap u64 -- -1",
    "corosync-cmapctl -s probe.flt flt 1e40",
    "corosync-cmapctl -s probe.dbl dbl 1e3x",
    "corosync-cmapctl -s probe.inf dbl inf",
    "corosync-cmapctl -s probe.umlaut str \N{LATIN SMALL LETTER U WITH DIAERESIS}",
    "corosync-cmapctl -s probe.bytes bin bytes.bin",
    "corosync-cmapctl -q probe.",
    "corosync-cmapctl -b probe.",
    f"corosync-cmapctl -g {'k' * 255}",
    f"corosync-cmapctl -s {'k' * 256} u8 1",
    "corosync-cmapctl -p nosuch.file",
    "corosync-cmapctl -D probe.",
    "corosync-cmapctl probe.",
    "corosync-keygen -k key -s 128",
    "stat -c %a,%s key",
    "corosync-keygen -k key --size=4096 -l",
    "stat -c %a,%s key",
    "corosync-keygen -k key -s 127",
    "corosync-keygen -k key -s 4097",
    "corosync-keygen -k key --si 12x",
    "corosync-keygen -k key -r nosuch.file",
    "corosync-keygen -k nosuch/key",
    "corosync-keygen -k key -r key",
    "corosync-keygen -z",
)
# Stock's text, and behind it a line of ours.
LONGER = (
    "corosync-quorumtool -h",
    "corosync-cfgtool",
    "corosync-cfgtool -h",
    "corosync-cpgtool -h",
    "corosync-cmapctl -h",
    "corosync-keygen --help",
)
FILES = {**tool_stories.KEY_FILES, "bytes.bin": "a\\b\x01\x7f\N{LATIN SMALL LETTER A WITH GRAVE}"}


def prepare(nodes: Iterable[Node]) -> None:
    """Write the files that commands name."""
    for node in nodes:
        for name, text in FILES.items():
            (node.workdir / name).write_text(text)


def answers(node: Node, commands: Sequence[str], tools: Path | None) -> list[str]:
    """Run commands in order; of ours when there is a directory ``tools``, else of stock."""
    return [
        without(tool_stories.told(node, _path(command, tools)), _passing) for command in commands
    ]


def _passing(line: str) -> bool:
    """Tell whether a key shows how busy the machine was between the two listings."""
    return line.startswith("stats.schedmiss.") or ".flow_control_count " in line


def _path(command: str, tools: Path | None) -> str:
    return command if tools is None or command.startswith("stat ") else f"{tools}/{command}"


def differences(node: Node, commands: Sequence[str], tools: Path) -> list[str]:
    """Tell which commands are answered differently, and how."""
    stock = dict(enumerate(answers(node, commands, None)))
    ours = dict(enumerate(answers(node, commands, tools)))
    return [
        f"{command}\n{told}"
        for place, command in enumerate(commands)
        if (told := tool_stories.differences({command: stock[place]}, {command: ours[place]}))
    ]
