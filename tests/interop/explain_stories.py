"""What ``corosync-tw explain`` says beside a node of ours."""

import json
import sys


def ask(node, *words, files=()):
    """Run it; ``files`` are recordings of other nodes."""
    named = ("--file", *map(str, files)) if files else ()
    command = (sys.executable, "-m", "corosync_tw.cli.main", "explain", *words)
    return node.machine.run(*command, *named, "--socket", str(node.socket), check=False)


def explained(node, *words, files=()):
    """Give its JSON object."""
    outcome = ask(node, *words, "--json", files=files)
    assert outcome.returncode == 0, outcome.stderr
    return json.loads(outcome.stdout)


def causes(told, part, nodeid=None):
    """List causes and how sure they are, of a part of what was told, about one node or all."""
    return [
        (each["cause"], each["confidence"])
        for each in told[part]
        if nodeid is None or each["node"] == nodeid
    ]


def copied(node, directory):
    """Copy the recordings of a node, as an administrator would, to where others see them."""
    directory.mkdir(exist_ok=True)
    script = 'cp "$1"/flight-*.rec "$2"'
    node.machine.run("sh", "-ec", script, "sh", str(node.state_dir), str(directory))
    return sorted(directory.glob("flight-*.rec"))
