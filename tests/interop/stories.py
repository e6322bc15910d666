"""
What is done to a ring under load, and what must hold afterwards, for any mixture of nodes.
"""

import time

from tests.interop import order
from tests.interop.netbed import wait_until
from tests.interop.nodes import Client, Cluster

TOKEN_MS = 1000
MESSAGES_ALL = 12_000
# A daemon that starts, and its clients, may wait long for a processor of a busy machine.
RING_WITHIN_S = 60.0
REFORM_WITHIN_S = 12.0


class Load:
    """Order clients on every node, sending at a rate that outlasts the fault."""

    def __init__(self, cluster: Cluster, rate: int, messages_all: int = MESSAGES_ALL) -> None:
        self.cluster = cluster
        self.nodeids = sorted(cluster.nodes)
        self.count = -(-messages_all // len(self.nodeids))
        self.rate = rate
        self.clients = {n: self._client(n, f"n{n}") for n in self.nodeids}
        cluster.wait_members(list(self.clients.values()), len(self.nodeids), RING_WITHIN_S)

    def _client(self, nodeid: int, label: str) -> Client:
        return self.cluster.client(
            nodeid, label, count=self.count, rate=self.rate, members=len(self.nodeids)
        )

    def newcomer(self, nodeid: int, members: int) -> Client:
        """Start one more client beside a node that is back; everybody then sees ``members``."""
        label = f"n{nodeid}-again"
        client = self.cluster.client(nodeid, label, count=self.count // 4, rate=0, members=members)
        known = [c for c in self.clients.values() if c.process.exit_status is None]
        self.cluster.wait_members([*known, client], members, RING_WITHIN_S)
        return client

    def others(self, victim: int) -> list[Client]:
        return [client for nodeid, client in self.clients.items() if nodeid != victim]

    def until_share(self, share: float) -> None:
        """Wait until this share of all messages was delivered to the first client."""
        first = self.clients[self.nodeids[0]]
        self.cluster.wait_delivered([first], int(share * self.count * len(self.nodeids)), 60)

    def until_all_of(
        self, senders: list[Client], receivers: list[Client], timeout_s: float = 60
    ) -> None:
        """Wait until the last message of each sender has come to each receiver."""
        last = {(c.process.pid, c.count) for c in senders}

        def arrived() -> bool:
            for receiver in receivers:
                words = (line.split() for line in receiver.lines() if line.startswith("D"))
                if not last <= {(int(w[2]), int(w[3])) for w in words}:
                    return False
            return True

        try:
            wait_until("last messages", arrived, timeout_s, 0.25)
        except AssertionError as error:
            seen = ", ".join(f"{c.label}: {c.delivered()}" for c in receivers)
            raise AssertionError(f"{error}; delivered {seen}\n{self.cluster.tail_logs()}") from None

    def until_level(self, clients: list[Client]) -> None:
        """Wait until the same message is the last one on all."""
        wait_until("the same last message", lambda: len({c.lines()[-1] for c in clients}) == 1, 10)

    def finish(self, clients: list[Client]) -> list[order.ClientLog]:
        """Stop clients and parse what they saw up to the first leave, and what they sent."""
        seen = {client.label: client.lines() for client in clients}
        for client in clients:
            assert client.finish() == 0, f"{client.label} failed\n{self.cluster.tail_logs()}"
        logs = []
        for client in clients:
            log = order.ClientLog.parse(client.label, seen[client.label])
            log.sent = order.ClientLog.parse(client.label, client.lines()).sent
            order.check_sound(log)
            logs.append(log)
        return logs


def calm(cluster: Cluster) -> None:
    """Everybody sends, nothing fails."""
    load = Load(cluster, 0)
    everybody = list(load.clients.values())
    load.until_all_of(everybody, everybody)
    logs = load.finish(everybody)
    order.check_same(logs, len(logs))
    order.check_none_lost(logs, logs)
    cluster.assert_alive(load.nodeids)


def loss(cluster: Cluster, percent: int) -> None:
    """Every node loses a share of what comes in, so that each pair loses both ways."""
    load = Load(cluster, 0)
    for node in cluster.nodes.values():
        node.machine.set_loss(percent)
    everybody = list(load.clients.values())
    load.until_all_of(everybody, everybody, 120)
    dropped = [node.machine.lost_datagrams() for node in cluster.nodes.values()]
    for node in cluster.nodes.values():
        node.machine.set_loss(0)
    assert min(dropped) > 0, dropped
    logs = load.finish(everybody)
    order.check_same(logs, len(logs))
    order.check_none_lost(logs, logs)
    cluster.assert_alive(load.nodeids)


def killed(cluster: Cluster, victim: int) -> None:
    """A daemon is killed in mid-stream, the others go on, it comes back with a new client."""
    load = Load(cluster, 700)
    stayers = load.others(victim)
    load.until_share(0.15)
    cluster.nodes[victim].sigkill()
    cluster.wait_members(stayers, len(stayers), REFORM_WITHIN_S)
    cluster.nodes[victim].start()
    assert load.clients[victim].process.wait(5) == 3, "the client of a killed daemon must see it"
    newcomer = load.newcomer(victim, members=len(load.nodeids))
    load.until_all_of([*stayers, newcomer], stayers)
    load.until_level([*stayers, newcomer])
    logs = load.finish([*stayers, newcomer])
    before = order.ClientLog.parse(f"n{victim}", load.clients[victim].lines())
    order.check_sound(before)
    order.check_same(logs[:-1], len(load.nodeids))
    order.check_none_lost(logs[:-1], logs[:-1])
    order.check_none_lost(logs[-1:], logs)
    order.check_same_tail(logs[-1], logs[0], len(load.nodeids), cluster.straddling_max)
    order.check_acyclic([*logs, before])
    order.check_strangers(before, logs[0], {victim})
    cluster.assert_alive(load.nodeids)


def frozen(cluster: Cluster, victim: int) -> None:
    """A daemon is stopped for longer than the token, expelled, and let back when it runs again."""
    load = Load(cluster, 700)
    stayers = load.others(victim)
    returned = load.clients[victim]
    load.until_share(0.15)
    cluster.nodes[victim].freeze()
    cluster.wait_members(stayers, len(stayers), REFORM_WITHIN_S)
    time.sleep(TOKEN_MS / 1000)
    cluster.nodes[victim].thaw()
    cluster.wait_members([*stayers, returned], len(load.nodeids), RING_WITHIN_S)
    newcomer = load.newcomer(victim, members=len(load.nodeids) + 1)
    load.until_all_of([*stayers, newcomer], stayers)
    load.until_level([*stayers, newcomer, returned])
    logs = load.finish([*stayers, newcomer, returned])
    order.check_same(logs[: len(stayers)], len(load.nodeids))
    order.check_none_lost(logs[: len(stayers)], logs[: len(stayers)])
    order.check_none_lost([logs[-2]], logs)
    for log in logs[-2:]:
        order.check_same_tail(log, logs[0], len(load.nodeids) + 1, cluster.straddling_max)
    order.check_acyclic(logs)
    order.check_strangers(logs[-1], logs[0], {victim})
    cluster.assert_alive(load.nodeids)


def tokens_lost(cluster: Cluster, victim: int) -> int:
    """Count how often the others have missed the token so far."""
    logs = [node.log_text() for nodeid, node in cluster.nodes.items() if nodeid != victim]
    return sum(log.count("A processor failed, forming new configuration") for log in logs)


def left(cluster: Cluster, victim: int) -> None:
    """A daemon leaves by SIGTERM: the others know at once, without waiting for the token."""
    load = Load(cluster, 700)
    stayers = load.others(victim)
    load.until_share(0.15)
    before = tokens_lost(cluster, victim)
    assert cluster.nodes[victim].leave() == 0, cluster.tail_logs()
    cluster.wait_members(stayers, len(stayers), REFORM_WITHIN_S)
    assert tokens_lost(cluster, victim) == before, "a clean leave must not cost a token timeout"
    load.until_all_of(stayers, stayers)
    logs = load.finish(stayers)
    order.check_same(logs, len(load.nodeids))
    order.check_none_lost(logs, logs)
    gone = order.ClientLog.parse(f"n{victim}", load.clients[victim].lines())
    order.check_sound(gone)
    order.check_acyclic([*logs, gone])
    order.check_strangers(gone, logs[0], {victim})
    cluster.assert_alive([n for n in load.nodeids if n != victim])
