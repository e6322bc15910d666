"""``corosync-tw doctor``: compare the nodes of a cluster, and say what is wrong and what to do."""

import json
import os
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from typing import Any, Final

from corosync_tw.cli.examining import examine
from corosync_tw.cli.reaching import add_options, reach
from corosync_tw.cli.running import complain, run
from corosync_tw.client.errors import NoDaemon
from corosync_tw.config.load import load_file
from corosync_tw.config.this_host import this_host
from corosync_tw.diagnosis.cluster import Cluster
from corosync_tw.diagnosis.finding import Finding, Severity, nodes_text
from corosync_tw.diagnosis.rules import RULES, diagnose
from corosync_tw.errors import ConfigError
from corosync_tw.printable import printable

DEFAULT_CONFIG_FILE: Final = "/etc/corosync/corosync.conf"
CONFIG_VARIABLE: Final = "COROSYNC_MAIN_CONFIG_FILE"
_WORD_LEN: Final = 9


def add_parser(tools: Any) -> None:
    """Describe the tool."""
    parser: ArgumentParser = tools.add_parser(
        "doctor", help="say what is wrong with a cluster, and what to do", description=__doc__
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument(
        "--config",
        metavar="FILE",
        default=os.environ.get(CONFIG_VARIABLE) or DEFAULT_CONFIG_FILE,
        help="checked when no daemon answers (else $COROSYNC_MAIN_CONFIG_FILE, else %(default)s)",
    )
    add_options(parser)
    parser.set_defaults(run=main)


def main(args: Namespace) -> None:
    """
    Run the tool.

    Raises: SystemExit: 0 nothing worse than notes, 1 warnings, faults, or no daemon.
    """

    async def show(reactor: Any) -> int:
        try:
            node = await reach(reactor, args)
        except NoDaemon as fault:
            complain(str(fault))
            for line in faults_of_file(args.config):
                complain(line)
            return 1
        cluster = await examine(reactor, node)
        await node.disconnect()
        findings = diagnose(cluster)
        print(as_json(cluster, findings) if args.json else as_text(cluster, findings))
        return int(any(finding.severity > Severity.NOTE for finding in findings))

    run(show)


def faults_of_file(path: str) -> Sequence[str]:
    """Say what would keep a daemon from starting with a configuration file."""
    try:
        load_file(path, host=this_host())
    except ConfigError as fault:
        return [str(fault)]
    return [f"{path} is sound"]


def as_text(cluster: Cluster, findings: Sequence[Finding]) -> str:
    """Lay findings out for a person."""
    own = cluster.own
    rep, seq = own.ring
    told = f"{len(cluster.facts)} told of themselves; {len(RULES)} checks"
    lines = [f"Ring {rep}.{seq:x}: {nodes_text(tuple(own.members))}; {told}"]
    for finding in findings:
        word = finding.severity.name.lower()
        lines += ["", f"{word:{_WORD_LEN}}{nodes_text(finding.nodeids)}: {finding.text}"]
        if finding.remedy:
            lines.append(f"{'':{_WORD_LEN}}{finding.remedy}")
    if not findings:
        lines += ["", "Nothing is wrong."]
    return "\n".join(map(printable, lines))


def as_json(cluster: Cluster, findings: Sequence[Finding]) -> str:
    """Make one JSON object of findings."""
    return json.dumps(
        {
            "local_nodeid": cluster.nodeid,
            "members": cluster.own.members,
            "told": sorted(cluster.facts),
            "findings": [
                {
                    "severity": finding.severity.name.lower(),
                    "nodes": list(finding.nodeids),
                    "text": finding.text,
                    "remedy": finding.remedy,
                }
                for finding in findings
            ],
        }
    )
