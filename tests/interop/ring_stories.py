"""
What is done to redundant rings under load: each network is cut, cut one way, made lossy and healed,
and the ring does not notice.
"""

from tests.interop import order
from tests.interop.link_stories import memberships
from tests.interop.netbed import Fault, NetBed, wait_until
from tests.interop.nodes import Client, Cluster
from tests.interop.stories import MESSAGES_ALL, Load

FAULTY_WITHIN_S = 30.0
SOUND_WITHIN_S = 60.0
FLOWING_WITHIN_S = 30.0
LOSSY_S = 5.0
RATE = 150
SECONDS_EACH = 6
LOSS_PERCENT = 30
# Tests come often and rings come back at once, so that stories are short.
BRISK = (
    "    rrp_autorecovery_check_timeout: 300\n    rrp_hold_down: 300\n    rrp_hold_down_max: 300\n"
)


def faulty(cluster: Cluster, ring: int) -> dict[int, str]:
    """Tell what each node holds of a ring."""
    key = f"runtime.totem.pg.mrp.rrp.{ring}.faulty"
    return {
        nodeid: node.machine.run("corosync-cmapctl", "-q", "-g", key, check=False).stdout[-2:-1]
        for nodeid, node in cluster.nodes.items()
    }


def wait_faulty(cluster: Cluster, ring: int, value: str, timeout_s: float) -> float:
    """Wait until every node holds a ring for faulty ("1") or sound ("0")."""
    agreed = lambda: set(faulty(cluster, ring).values()) == {value}
    try:
        return wait_until(f"ring {ring}: faulty {value}", agreed, timeout_s, 0.05)
    except AssertionError as error:
        raise AssertionError(f"{error}: {faulty(cluster, ring)}\n{cluster.tail_logs()}") from None


def wait_flowing(clients: list[Client], counted: list[int]) -> None:
    """Wait until each client was delivered more than before."""
    flowing = lambda: all(c.delivered() > n for c, n in zip(clients, counted, strict=True))
    wait_until("messages flow", flowing, FLOWING_WITHIN_S)


def rings_fail_and_heal(cluster: Cluster, bed: NetBed, faults: list[Fault]) -> list[str]:
    """
    Bring about faults one at a time, and heal each, while everybody sends.

    A fault that loses a share may be borne without a verdict.

    :return: a line about each, with the seconds until all nodes knew.
    """
    everybody = sorted(cluster.nodes)
    seconds = SECONDS_EACH * len(faults)
    load = Load(cluster, RATE, min(MESSAGES_ALL, RATE * len(everybody) * seconds))
    clients = list(load.clients.values())
    before = memberships(cluster)
    told = []
    for fault in faults:
        counted = [client.delivered() for client in clients]
        bed.set_faults(fault)
        if fault.percent == 100:
            found_s = wait_faulty(cluster, fault.network, "1", FAULTY_WITHIN_S)
        else:
            found_s = LOSSY_S
        wait_flowing(clients, counted)
        bed.set_faults()
        healed_s = wait_faulty(cluster, fault.network, "0", SOUND_WITHIN_S)
        told.append(f"{fault}: known after {found_s:.2f} s, used again after {healed_s:.2f} s")
        assert memberships(cluster) == before, f"{fault}\n{cluster.tail_logs(40)}"
    load.until_all_of(clients, clients, 120)
    logs = load.finish(clients)
    order.check_same(logs, len(logs))
    order.check_none_lost(logs, logs)
    cluster.assert_alive(everybody)
    assert memberships(cluster) == before, cluster.tail_logs(40)
    for node in cluster.nodes.values():
        assert "not believed" not in node.log_text(), f"n{node.nodeid}\n{cluster.tail_logs(40)}"
    return told
