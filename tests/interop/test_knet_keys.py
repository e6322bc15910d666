"""
Keys and ciphers changed at run time, in rings of stock corosync 3.1.7 and ours over knet.

Under load and over two links: no membership changes, no link goes down, the order stays one, and
who starts afterwards has to know the new key.
"""

import os

import pytest

from tests.interop import order
from tests.interop.link_stories import UP_WITHIN_S, memberships, wait_links
from tests.interop.netbed import NetBed, wait_until
from tests.interop.nodes import Cluster, corosync_conf
from tests.interop.stories import Load

pytestmark = pytest.mark.interop

LAYOUTS = {
    "one-of-ours-between": ([1, 3], [2]),
    "ours-lowest": ([2, 3], [1]),
    "two-of-ours": ([2], [1, 3]),
    "ours-alone": ([], [1, 2, 3]),
}
TOKEN_MS = 10000
# A stock node whose link goes down in the middle of a change is cut off for good: the others forget
# the key that it still seals with. That must not happen by a loaded machine.
PATIENT_PINGS = "".join(
    f"    interface {{\n        linknumber: {link}\n        knet_ping_interval: 1000\n"
    "        knet_ping_timeout: 30000\n    }\n"
    for link in range(2)
)
RATE = 200
MESSAGES = 9000
WITHIN_S = 30.0
# What is written down one after the other: cipher, hash, and whether the key file is another one.
CHANGES = (
    ("aes256", "sha256", True),
    ("aes128", "sha512", False),
    ("none", "none", False),
    ("aes192", "md5", True),
)
# Beside stock nodes a change to a hash alone is left out: libknet 1.25 at times finds an "Invalid
# MTU" to its stock peer by it, and uses the link no more.
OUR_CHANGES = (*CHANGES[:2], ("none", "sha1", True), *CHANGES[2:])


class Ring:
    """Three nodes and the files that say how they encrypt."""

    def __init__(self, bed: NetBed, layout: tuple[list[int], list[int]], workdir) -> None:
        stock, ours = layout
        self.bed = bed
        self.cluster = Cluster(bed.machines, stock, ours, workdir, transport="knet")
        self.keyfile = workdir / "authkey"
        self.keyfile.write_bytes(os.urandom(256))

    def write(self, cipher: str, hash_name: str, *, only: tuple[int, ...] = ()) -> None:
        machines = self.bed.machines
        addresses = {n: machines[n].addresses for n in self.cluster.nodes}
        extra = (
            f"    crypto_cipher: {cipher}\n    crypto_hash: {hash_name}\n"
            f"    keyfile: {self.keyfile}\n{PATIENT_PINGS}"
        )
        for nodeid, node in self.cluster.nodes.items():
            if nodeid in only or not only:
                node.conf.write_text(
                    corosync_conf(
                        addresses,
                        node.state_dir,
                        run_dir=node.run_dir,
                        transport="knet",
                        token_ms=TOKEN_MS,
                        totem_extra=extra,
                    )
                )

    def reload(self, nodeid: int) -> None:
        said = self.cluster.nodes[nodeid].machine.run("corosync-cfgtool", "-R", check=False)
        assert (said.returncode, said.stdout) == (0, "Reloading corosync.conf...\nDone\n"), said

    def reconfigured(self, text: str, times: int) -> bool:
        return all(
            node.log_text().count(f"crypto reconfigured on index {1 + times % 2}: {text}") > 0
            for node in self.cluster.nodes.values()
        )


@pytest.fixture(params=LAYOUTS)
def ring(request, tmp_path):
    with NetBed([1, 2, 3], networks=2) as bed:
        ring = Ring(bed, LAYOUTS[request.param], tmp_path)
        with ring.cluster:
            ring.write("aes256", "sha256")
            ring.cluster.start()
            ring.cluster.wait_quorate()
            for link in (0, 1):
                wait_links(ring.cluster, link, set(), UP_WITHIN_S)
            yield ring


def test_keys_change_under_load(ring):
    cluster = ring.cluster
    load = Load(cluster, RATE, MESSAGES)
    before = memberships(cluster)
    clients = list(load.clients.values())
    alone = all(node.kind == "ours" for node in cluster.nodes.values())
    changes = OUR_CHANGES if alone else CHANGES
    for times, (cipher, hash_name, another_key) in enumerate(changes, 1):
        if another_key:
            ring.keyfile.write_bytes(os.urandom(128 * times))
        ring.write(cipher, hash_name)
        ring.reload(times % 3 + 1)
        text = f"nss/{cipher}/{hash_name}"
        wait_until(text, lambda text=text, n=times: ring.reconfigured(text, n), WITHIN_S)
        load.until_share(times / len(changes))
        assert memberships(cluster) == before, f"{text}\n{cluster.tail_logs()}"
    load.until_all_of(clients, clients)
    load.until_level(clients)
    logs = load.finish(clients)
    order.check_same(logs, len(logs))
    order.check_none_lost(logs, logs)
    assert memberships(cluster) == before
    for node in cluster.nodes.values():
        assert "is down" not in node.log_text(), cluster.tail_logs()
    # The last key is the one in use: a node that starts anew knows no other.
    for nodeid in cluster.nodes:
        cluster.nodes[nodeid].leave()
        cluster.nodes[nodeid].start()
        cluster.wait_quorate()
