"""
``corosync-tw cpg GROUP``: speak and listen in a process group from a terminal or a pipe.

Each line of stdin is a message. What the group says goes to stdout, one line a message, with node,
process and sequence number; who comes and goes is told on stderr. At the end of stdin it waits
until all its own messages came back, leaves, and ends.
"""

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from typing import Any

from twisted.internet.defer import Deferred

from corosync_tw.cli.lines import LineReader
from corosync_tw.cli.reaching import add_options, reach
from corosync_tw.cli.running import run
from corosync_tw.client.cpg import Cpg, Member, Message
from corosync_tw.client.errors import DaemonLost
from corosync_tw.client.node import Node
from corosync_tw.corotypes import MESSAGE_SIZE_MAX, CpgReason, Guarantee

# The largest message of libcpg, so that stock members can take it as well.
LINE_LEN_BYTES_MAX = MESSAGE_SIZE_MAX - 1024

_REASONS = {
    CpgReason.JOIN: "joined",
    CpgReason.LEAVE: "left",
    CpgReason.NODEDOWN: "lost with its node",
    CpgReason.NODEUP: "came with its node",
    CpgReason.PROCDOWN: "died",
}


def add_parser(tools: Any) -> None:
    """Describe the tool."""
    parser: ArgumentParser = tools.add_parser(
        "cpg",
        help="join a process group, send the lines of stdin, print what is delivered",
        description=__doc__.partition("\n\n")[2],
    )
    parser.add_argument("group", metavar="GROUP", help="name of the group")
    parser.add_argument("--safe", action="store_true", help="deliver only what every node has")
    parser.add_argument("--stay", action="store_true", help="go on listening after stdin's end")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    add_options(parser)
    parser.set_defaults(run=main)


def main(args: Namespace) -> None:
    """Run the tool."""

    async def talk(reactor: Any) -> int:
        node = await reach(reactor, args)
        conversation = Conversation(node, as_json=args.json, stay=args.stay)
        guarantee = Guarantee.SAFE if args.safe else Guarantee.AGREED
        await conversation.run(reactor, args.group.encode(), guarantee, sys.stdin.fileno())
        return 0

    run(talk)


class Conversation:
    """One stay in a group."""

    def __init__(self, node: Node, *, as_json: bool, stay: bool) -> None:
        """Be silent yet."""
        self._node = node
        self._as_json = as_json
        self._stay = stay
        self._sent_msgs = 0
        self._heard_own_msgs = 0
        self._at_end = False
        self._done: Deferred[None] = Deferred()

    async def run(self, reactor: Any, group: bytes, guarantee: Guarantee, stdin: int) -> None:
        """
        Join, talk until stdin ends and everything came back, leave.

        Raises: CsError; DaemonLost, when the daemon went away meanwhile.
        """
        cpg = self._node.cpg()
        await cpg.join(group, self._deliver, self._change)
        lost = self._node.when_lost()
        lost.addCallback(lambda _: self._fail(DaemonLost("the daemon closed the connection")))

        def send(lines: list[bytes]) -> None:
            reader.pause()
            self._send(cpg, lines, guarantee).addCallbacks(lambda _: more(), self._fail)

        def more() -> None:
            if not self._at_end:
                reader.resume()
            self._check()

        reader = LineReader(reactor, stdin, send, self._end_of_stdin, LINE_LEN_BYTES_MAX)
        reader.resume()
        await self._done
        await cpg.leave()
        await self._node.disconnect()

    def _send(self, cpg: Cpg, lines: list[bytes], guarantee: Guarantee) -> Deferred[int]:
        self._sent_msgs += len(lines)
        return cpg.mcast_many(lines, guarantee)

    def _end_of_stdin(self) -> None:
        self._at_end = True
        self._check()

    def _check(self) -> None:
        all_heard = self._heard_own_msgs == self._sent_msgs
        if self._at_end and all_heard and not self._stay and not self._done.called:
            self._done.callback(None)

    def _fail(self, fault: Any) -> None:
        if not self._done.called:
            self._done.errback(fault)

    def _deliver(self, messages: list[Message]) -> None:
        ours = (self._node.nodeid, self._node.pid)
        self._heard_own_msgs += sum((m.nodeid, m.pid) == ours for m in messages)
        print("\n".join(map(self._message_line, messages)), flush=True)
        self._check()

    def _message_line(self, message: Message) -> str:
        text = message.data.decode(errors="backslashreplace")
        if not self._as_json:
            return f"{message.nodeid}:{message.pid} {message.seq} {text}"
        fields = message._asdict()
        del fields["data"]
        return json.dumps({**fields, "text": text})

    def _change(self, members: list[Member], left: list[Member], joined: list[Member]) -> None:
        if self._as_json:
            parts = {"members": members, "left": left, "joined": joined}
            line = json.dumps(
                {name: [member._asdict() for member in part] for name, part in parts.items()}
            )
        else:
            changes = [f"{_name(m)} {_REASONS[CpgReason(m.reason)]}" for m in (*left, *joined)]
            line = f"-- {', '.join(changes)}; members: {_names(members)}"
        print(line, file=sys.stderr, flush=True)


def _name(member: Member) -> str:
    return f"{member.nodeid}:{member.pid}"


def _names(members: Iterable[Member]) -> str:
    return " ".join(map(_name, members)) or "nobody"
