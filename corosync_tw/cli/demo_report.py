"""Figures of the demonstration: progress while it runs, the table and the verdict in the end."""

import os
import sys
import time
from collections.abc import Mapping
from typing import Final

from corosync_tw.cli.demo_cluster import GROUP, NODES, DemoCluster
from corosync_tw.cli.demo_screen import Screen
from corosync_tw.cli.stock_tools import PROGRAM

_DIGEST_LEN_CHARS: Final = 16


def _program() -> str:
    """Give the tool that stands beside this interpreter, as a shell finds it from here."""
    path = os.path.join(os.path.dirname(sys.executable), PROGRAM)
    return os.path.relpath(path) if path.startswith(f"{os.getcwd()}/") else path


class Report:
    """
    Times and counts.

    :ivar killed_s: moment of the kill; likewise the others. Seconds of a monotonic clock.
    :ivar listening_s: when the restarted daemon answered its first client.
    """

    def __init__(self, cluster: DemoCluster) -> None:
        """Watch ``cluster``."""
        self.killed_s = 0.0
        self.restarted_s = 0.0
        self.listening_s = 0.0
        self.rejoined_s = 0.0
        self._cluster = cluster
        self._begin_s = 0.0
        self._rate_msgs = 0.0
        self._rate_len_bytes = 0.0
        self._shown: tuple[float, int] = (0.0, 0)

    def stream_begins(self) -> None:
        """Start the clock of the throughput."""
        self._begin_s = time.monotonic()

    def stream_was_undisturbed(self) -> None:
        """Take the throughput up to now, as the first node heard it."""
        tally = self._cluster.tallies[1]
        seconds = time.monotonic() - self._begin_s
        self._rate_msgs = tally.delivered_msgs / seconds
        self._rate_len_bytes = tally.delivered_len_bytes / seconds

    def failover_s(self) -> float:
        """Tell how long after the kill the last survivor heard of it."""
        return max(self._cluster.left_s.values()) - self.killed_s

    def progress(self) -> str:
        """Describe what node 1 has heard, and how fast it hears now."""
        count, now_s = self._cluster.tallies[1].delivered_msgs, time.monotonic()
        before_s, before = self._shown
        self._shown = (now_s, count)
        rate = (count - before) / (now_s - before_s)
        return f"           {count:>11,} messages delivered in one order, {rate:>7,.0f} a second"

    def show(self, screen: Screen, sent: Mapping[str, int]) -> bool:
        """Show table and verdict; False when the nodes that stayed disagree or lost something."""
        screen.say()
        screen.table(
            ["node", "what it did", "sent", "delivered", "sequence", "since the rejoin"],
            [self._row(number, sent) for number in range(1, NODES + 1)],
        )
        screen.say()
        for line in self._times():
            screen.say(line)
        faults = self.faults(sent)
        screen.say()
        for fault in faults:
            screen.title(f"WRONG: {fault}")
        if not faults:
            screen.title("OK: same sequence on the nodes that stayed, nothing lost, nothing twice")
        return not faults

    def faults(self, sent: Mapping[str, int]) -> list[str]:
        """List what is wrong."""
        tallies, nodes = self._cluster.tallies, self._cluster.nodes
        stayed = [node.number for node in nodes[:-1]]
        faults = []
        if len({tallies[number].digest for number in stayed}) > 1:
            faults.append("the nodes that stayed heard different sequences")
        if len({tally.part_digest for tally in tallies.values()}) > 1:
            faults.append("the nodes heard different sequences since the rejoin")
        for number in stayed:
            if tallies[number].faults:
                faults.append(f"node{number} heard {tallies[number].faults} messages out of turn")
        faults += [
            f"node{number} heard {tallies[number].last.get(node.sender, 0)} of"
            f" {sent[node.sender]} messages of {node.name}"
            for number in stayed
            for node in nodes
            if tallies[number].last.get(node.sender, 0) != sent[node.sender]
        ]
        return faults

    def show_how_to_talk(self, screen: Screen) -> None:
        """Show the commands that a person may try now."""
        screen.say()
        screen.title("The cluster stays up; Ctrl-C ends it. In another terminal:")
        program = _program()
        for node in self._cluster.nodes:
            screen.say(f"  {program} status --socket {node.socket}")
        for node in self._cluster.nodes:
            screen.say(f"  {program} cpg {GROUP.decode()} --socket {node.socket}")

    def _row(self, number: int, sent: Mapping[str, int]) -> list[str]:
        node, tally = self._cluster.nodes[number - 1], self._cluster.tallies[number]
        stayed = node.starts == 1
        total = sum(count for sender, count in sent.items() if sender.startswith(f"{node.name}."))
        return [
            node.name,
            "stayed" if stayed else "was killed, returned",
            f"{total:,}",
            f"{tally.delivered_msgs:,}",
            tally.digest[:_DIGEST_LEN_CHARS] if stayed else "(began anew)",
            tally.part_digest[:_DIGEST_LEN_CHARS],
        ]

    def _times(self) -> list[str]:
        silence_s = max(self._cluster.silence_s.values())
        rejoin_s = self.rejoined_s - self.restarted_s
        start_s = self.listening_s - self.restarted_s
        return [
            (
                f"failover    {self.failover_s():.2f} s from the kill to the new membership;"
                f" no delivery for {silence_s:.2f} s"
            ),
            (
                f"rejoin      {rejoin_s:.2f} s from the start of the process to the membership"
                f" ({start_s:.2f} s of it until the daemon listened)"
            ),
            (
                f"throughput  {self._rate_msgs:,.0f} messages/s,"
                f" {self._rate_len_bytes / 1e6:.2f} MB/s at each node, before the kill"
            ),
        ]
