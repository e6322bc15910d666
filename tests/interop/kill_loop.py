"""
A ring under load in which daemons and clients are killed at random, again and again.

Whatever was cut down is started again, often before the ring has come to rest. At the end all
nodes must agree, and whoever serves clients must hold no more than at the start.
"""

import itertools
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.interop import order
from tests.interop.netbed import Machine, wait_until
from tests.interop.nodes import Client, Cluster, Node

RATE = 100
FINAL_COUNT = 300
NOTICE_WITHIN_S = 5.0
REST_WITHIN_S = 30.0
DOWN_MAX_S = 1.5
PAUSE_MAX_S = 2.0


@dataclass(frozen=True)
class Holding:
    """What a daemon without clients holds: descriptors, and files in its machine's /dev/shm."""

    descriptors: int
    shared: int

    @classmethod
    def of(cls, node: Node) -> "Holding":
        return cls(
            len(list(Path(f"/proc/{node.running.pid}/fd").iterdir())), len(shared(node.machine))
        )

    def within(self, limit: "Holding") -> bool:
        return self.descriptors <= limit.descriptors and self.shared <= limit.shared


def shared(machine: Machine) -> list[str]:
    """List the files in a machine's /dev/shm."""
    return machine.run("find", "/dev/shm", "-mindepth", "1", "-not", "-type", "d").stdout.split()


class KillLoop:
    """One such ring; C clients send to one group all the time, one beside each node."""

    def __init__(self, cluster: Cluster, draw: random.Random) -> None:
        self._cluster = cluster
        self._draw = draw
        self._numbers = itertools.count()
        self._all: list[Client] = []
        self._running: dict[int, Client] = {}
        self._start_level: dict[int, Holding] = {}

    def run(self, kills: int, told: Callable[[str], None] = lambda _: None) -> Mapping[str, int]:
        """
        Kill so many times and check everything.

        :param told: is given a line for each kill.
        :return: how many daemons and clients were killed and how many messages delivered.
        """
        cluster = self._cluster
        cluster.start()
        cluster.wait_quorate()
        self._start_level = {nodeid: Holding.of(node) for nodeid, node in cluster.nodes.items()}
        for nodeid in cluster.nodes:
            self._start_client(nodeid)
        cluster.wait_members(list(self._running.values()), len(cluster.nodes), REST_WITHIN_S)
        daemons = 0
        for number in range(1, kills + 1):
            nodeid = self._draw.choice(sorted(cluster.nodes))
            if self._draw.random() < 0.5:
                self._kill_client(nodeid)
                what = "client"
            else:
                self._kill_daemon(nodeid)
                what = "daemon"
                daemons += 1
            told(f"{number}: {what} of n{nodeid} ({cluster.nodes[nodeid].kind})")
            time.sleep(self._draw.uniform(0, PAUSE_MAX_S))
        messages = self._check_load()
        self._check_agreement()
        self._check_holdings()
        cluster.assert_alive(sorted(cluster.nodes))
        return {"daemons": daemons, "clients": kills - daemons, "messages": messages}

    def _start_client(self, nodeid: int) -> None:
        label = f"n{nodeid}-{next(self._numbers)}"
        client = self._cluster.client(nodeid, label, count=10**9, rate=RATE, members=1)
        self._running[nodeid] = client
        self._all.append(client)

    def _kill_client(self, nodeid: int) -> None:
        self._running[nodeid].process.kill()
        self._start_client(nodeid)

    def _kill_daemon(self, nodeid: int) -> None:
        node, client = self._cluster.nodes[nodeid], self._running[nodeid]
        served = bool(client.lines())
        node.sigkill()
        if served:
            status = client.process.wait(NOTICE_WITHIN_S)
            assert status == 3, f"{client.label} ended with {status} when its daemon was killed"
        else:
            # It still tries to connect, and would go on doing so for long.
            client.process.kill()
        time.sleep(self._draw.uniform(0, DOWN_MAX_S))
        node.start()
        self._start_client(nodeid)

    def _check_load(self) -> int:
        """End the load and compare what all clients, also those that were killed, were told."""
        self._wait_group(list(self._running.values()))
        for client in self._running.values():
            assert client.finish() == 0, f"{client.label}\n{self._cluster.tail_logs()}"
        logs = [order.ClientLog.parse(client.label, client.lines()) for client in self._all]
        for log in logs:
            order.check_sound(log)
        order.check_acyclic(logs)
        for one, other in itertools.combinations(logs, 2):
            order.check_overlap(one, other)
        return len({message for log in logs for message in log.messages()})

    def _wait_group(self, clients: list[Client]) -> None:
        self._cluster.wait_quorate()
        self._cluster.wait_members(clients, len(self._cluster.nodes), REST_WITHIN_S)

    def _check_agreement(self) -> None:
        """Let new clients talk on the ring that is left; tools must tell the same everywhere."""
        cluster = self._cluster
        size = len(cluster.nodes)
        clients = [
            cluster.client(nodeid, f"n{nodeid}-final", count=FINAL_COUNT, rate=0, members=size)
            for nodeid in cluster.nodes
        ]
        self._wait_group(clients)
        groups = {node.machine.run("corosync-cpgtool", "-d", ";").stdout for node in self._nodes()}
        assert len(groups) == 1, f"views of the group: {groups}"
        assert groups.pop().count("\n") == size + 1, "one process a node is left in the group"
        cluster.wait_delivered(clients, FINAL_COUNT * size, REST_WITHIN_S)
        seen = [order.ClientLog.parse(client.label, client.lines()) for client in clients]
        for log, client in zip(seen, clients, strict=True):
            assert client.finish() == 0, f"{client.label}\n{cluster.tail_logs()}"
            log.sent = FINAL_COUNT
            order.check_sound(log)
        order.check_same(seen, size)
        order.check_none_lost(seen, seen)

    def _check_holdings(self) -> None:
        """
        Compare descriptors and shared memory with the start.

        A stock daemon that is killed leaves its shared memory behind; ours is swept by the next.
        """
        for nodeid, node in self._cluster.nodes.items():
            limit = self._start_level[nodeid]
            if node.kind == "stock":
                limit = Holding(limit.descriptors, len(shared(node.machine)))

            def back(node: Node = node, limit: Holding = limit) -> bool:
                return Holding.of(node).within(limit)

            try:
                wait_until("back at the start level", back, REST_WITHIN_S, 0.2)
            except AssertionError as error:
                files = "\n".join(shared(node.machine))
                raise AssertionError(
                    f"n{nodeid} holds {Holding.of(node)}, at first {limit}: {error}\n{files}"
                ) from None

    def _nodes(self) -> list[Node]:
        return list(self._cluster.nodes.values())
