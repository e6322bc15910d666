"""
Debian's Pacemaker on the machines of a bed, started without systemd, and what it tells.

Each machine has its own /var/lib/pacemaker; the logs are in the node's directory. pacemakerd stays
when its cluster daemon dies: it asks once a second until there is one again, as on a stock node.
"""

import signal
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

from tests.interop.netbed import Process, require, wait_until
from tests.interop.nodes import Cluster, Node

RESOURCES = ("one", "two", "three")
WITHIN_S = 40.0
STOP_WITHIN_S = 20.0
OPTIONS = {
    "stonith-enabled": "false",
    "no-quorum-policy": "stop",
    "startup-fencing": "false",
    "dc-deadtime": "2s",
    "shutdown-escalation": "20s",
    "election-timeout": "10s",
}
_DIRECTORIES = "cib pengine blackbox cores"
_PREPARE = f"""
mountpoint -q /var/lib/pacemaker || mount -t tmpfs tmpfs /var/lib/pacemaker
mount --bind "$1" /var/log/pacemaker
cd /var/lib/pacemaker
mkdir -p {_DIRECTORIES} /run/crm /run/resource-agents
cp "$2" cib/cib.xml
chmod 600 cib/cib.xml
chmod 750 . {_DIRECTORIES}
chown -R hacluster:haclient . /run/crm /var/log/pacemaker
"""


@dataclass(frozen=True)
class Status:
    """
    What one node's crm_mon tells.

    :ivar places: for each resource the nodes it is started on.
    :ivar failures: actions that failed, as "resource action on node".
    """

    dc: str
    with_quorum: bool
    online: frozenset[str]
    places: dict[str, tuple[str, ...]]
    failures: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> "Status":
        root = ET.fromstring(text)
        dc = root.find("summary/current_dc")
        known = dc is not None and dc.get("present") == "true"
        places = {
            resource.get("id", ""): tuple(node.get("name", "") for node in resource.iter("node"))
            if resource.get("role") == "Started" and not resource.get("pending")
            else ()
            for resource in root.iter("resource")
        }
        return cls(
            dc=dc.get("name", "") if known else "",
            with_quorum=known and dc.get("with_quorum") == "true",
            online=frozenset(
                node.get("name", "")
                for node in root.iterfind("nodes/node")
                if node.get("online") == "true"
                and node.get("pending") == "false"
                and node.get("unclean") == "false"
            ),
            places=places,
            failures=tuple(
                f"{failure.get('op_key')} on {failure.get('node')}"
                for failure in root.iterfind("failures/failure")
            ),
        )


class Pacemaker:
    """The resource manager beside one cluster daemon."""

    def __init__(self, cluster: Cluster, nodeid: int) -> None:
        require("pacemakerd", "crm_mon", "cibadmin", "crm_attribute")
        self._cluster = cluster
        self.nodeid = nodeid
        self.name = f"n{nodeid}"
        self._machine = self.node.machine
        self._workdir = self.node.workdir
        self.log_dir = self._workdir / "pacemaker"
        self.log_dir.mkdir()
        seed = self._workdir / "cib.xml"
        seed.write_text(first_cib())
        self._machine.run("sh", "-ec", _PREPARE, "prepare", str(self.log_dir), str(seed))
        self.process: Process | None = None

    @property
    def node(self) -> Node:
        return self._cluster.nodes[self.nodeid]

    def start(self) -> None:
        assert not self.alive
        self.process = Process(
            self._machine,
            ["pacemakerd"],
            self._workdir / "pacemakerd.log",
            self._workdir,
            {"PCMK_logfile": "/var/log/pacemaker/detail.log", "PCMK_logfacility": "none"},
        )

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.exit_status is None

    def stop(self) -> int:
        """Move the resources away and end; give the exit status."""
        assert self.process is not None
        self.process.signal(signal.SIGTERM)
        return self.process.wait(STOP_WITHIN_S)

    def tool(self, *argv: str) -> str:
        """Run one of Pacemaker's tools; it must succeed."""
        outcome = self._machine.run(*argv, check=False)
        assert outcome.returncode == 0, f"{argv}: {outcome.stdout}{outcome.stderr}"
        return outcome.stdout

    def status(self) -> Status | None:
        """Ask crm_mon; None while it has no answer."""
        outcome = self._machine.run("crm_mon", "-1r", "--output-as=xml", check=False)
        return Status.parse(outcome.stdout) if outcome.returncode == 0 else None

    def running_here(self) -> set[str]:
        """Name the Dummy resources whose state file is on this machine."""
        found = self._machine.run("find", "/run", "-name", "Dummy-*.state").stdout.split()
        return {Path(path).stem.removeprefix("Dummy-") for path in found}

    def quorum_losses(self) -> int:
        """Count how often it was told that quorum was lost."""
        return self.log_text().count("Quorum lost")

    def log_text(self) -> str:
        path = self.log_dir / "detail.log"
        return path.read_text(errors="replace") if path.exists() else ""


def first_cib() -> str:
    """Write a CIB of options alone: an empty one waits for other nodes by the default timeouts."""
    options = "".join(
        f'<nvpair id="o-{name}" name="{name}" value="{value}"/>' for name, value in OPTIONS.items()
    )
    return (
        '<cib validate-with="pacemaker-3.0" epoch="1" num_updates="0" '
        'admin_epoch="0"><configuration><crm_config><cluster_property_set id="options">'
        f"{options}</cluster_property_set></crm_config><nodes/><resources/><constraints/>"
        "</configuration><status/></cib>\n"
    )


def dummies() -> str:
    """Write the resources."""
    primitives = "".join(
        f'<primitive id="{name}" class="ocf" provider="pacemaker" type="Dummy"><operations>'
        f'<op id="{name}-monitor" name="monitor" interval="5s" timeout="20s"/>'
        "</operations></primitive>"
        for name in RESOURCES
    )
    return f"<resources>{primitives}</resources>"


class Managed:
    """A ring with Pacemaker on every node."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.managers = {nodeid: Pacemaker(cluster, nodeid) for nodeid in cluster.nodes}

    def start_all(self) -> None:
        self.cluster.start()
        self.cluster.wait_quorate()
        for manager in self.managers.values():
            manager.start()

    def settled(self, nodeids: list[int]) -> Status:
        """
        Wait until these nodes, and no others, are online under one DC and every resource runs once.

        All of them must tell the same, no action may have failed, and the agents' files must agree.
        """
        names = frozenset(self.managers[nodeid].name for nodeid in nodeids)
        seen: list[Status | None] = []

        def agreed() -> bool:
            seen[:] = [self.managers[nodeid].status() for nodeid in nodeids]
            first = seen[0]
            return (
                first is not None
                and all(one is not None and one == first for one in seen)
                and first.dc in names
                and first.with_quorum
                and first.online == names
                and set(first.places) == set(RESOURCES)
                and all(len(nodes) == 1 and nodes[0] in names for nodes in first.places.values())
                and self.agrees_with_agents(first, nodeids)
            )

        try:
            wait_until(f"{sorted(names)} online, each resource on one", agreed, WITHIN_S, 0.3)
        except AssertionError as error:
            raise AssertionError(f"{error}; told: {seen}\n{self.tails()}") from None
        assert seen[0] is not None
        assert not seen[0].failures, f"{seen[0].failures}\n{self.tails()}"
        return seen[0]

    def agrees_with_agents(self, status: Status, nodeids: list[int]) -> bool:
        """Compare the places with what the agents left on the machines."""
        return all(
            self.managers[nodeid].running_here()
            == {r for r, nodes in status.places.items() if self.managers[nodeid].name in nodes}
            for nodeid in nodeids
        )

    def dc_nodeid(self, status: Status) -> int:
        return next(n for n, manager in self.managers.items() if manager.name == status.dc)

    def tails(self, lines: int = 15) -> str:
        """The last words of all daemons, for a failure's text."""
        texts = [self.cluster.tail_logs()]
        for manager in self.managers.values():
            tail = "\n".join(manager.log_text().splitlines()[-lines:])
            texts.append(f"--- pacemaker {manager.name}, alive: {manager.alive}\n{tail}")
        return "\n".join(texts)
