"""
Real daemons in name spaces on one bridge, and C clients beside them.

Stock corosync and ours are driven by the same programs, linked to the same libcpg and libcmap. Many
rings can stand side by side, each on a bridge of its own; those that are not measured are frozen,
so that they take no processor time. The token's timeout outlasts that; the timers that matter at
work, its retransmission and its hold, are those of the default token.
"""

import contextlib
import os
import signal
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from bench.asked import Asked, ask_all
from bench.plan import OURS, STOCK, SYSTEMS
from tests.interop.netbed import Fault, NetBed
from tests.interop.nodes import Cluster

TOKEN_MS = 30_000
KEY_LEN_BYTES = 256
TIMERS = "    token_retransmit: 238\n    hold: 180\n"
# Milliseconds between pings and until a link is down without a pong: rings that are frozen by turns
# bear much, one that stands alone is to notice a cut.
PATIENT_LINKS = (1000, 25_000)
BRISK_LINKS = (300, 1000)
START_WITHIN_S = 60.0
FORM_WITHIN_S = 6.0
FORM_TRIES = 6
STARTED = "cluster quorum service"
FORM_POLL_S = 0.05
# A ring that fell apart, frozen as it was by turns, finds itself again.
WHOLE_WITHIN_S = 3.0
SETTLE_TRIPS = 30
SETTLE_S = 0.3
# The paced client has begun, and outlasts the trips.
LEAD_S = 0.1
CPU_CLOCK = 2
# Of a slow network: what it takes at once, and how long it lets wait.
SLOW_BURST, SLOW_LATENCY = "256kb", "400ms"


class Flood(NamedTuple):
    """
    What one flood of one size showed.

    :ivar daemon_s: seconds of processor time of all daemons per million messages.
    :ivar client_s: the same of the sending clients.
    :ivar rotations_per_s: of the token, all the time that it took.
    :ivar retransmits: frames that were sent again, per thousand sent.
    """

    messages_per_s: float
    daemon_s: float
    client_s: float
    rotations_per_s: float
    retransmits: float


def _conf_extra(system, mtu, keyfile, links):
    extra = TIMERS + system.directives.replace("KEYFILE", str(keyfile))
    if system.transport == "knet":
        interval_ms, timeout_ms = links
        return extra + "".join(
            f"    interface {{\n        linknumber: {link}\n"
            f"        knet_ping_interval: {interval_ms}\n"
            f"        knet_ping_timeout: {timeout_ms}\n        knet_pong_count: 1\n    }}\n"
            for link in range(system.networks)
        )
    return extra if mtu == 1500 else f"{extra}    netmtu: {mtu}\n"


class Ring:
    """One system on one bed, and its clients."""

    def __init__(self, system, nodes, mtu, directory, links=PATIENT_LINKS):
        self.system = system
        numbers = list(range(1, nodes + 1))
        keyfile = Path(directory) / "authkey"
        keyfile.write_bytes(os.urandom(KEY_LEN_BYTES))
        self._bed = NetBed(numbers, mtu, system.networks)
        self._cluster = Cluster(
            self._bed.machines,
            numbers if system.kind == STOCK else [],
            numbers if system.kind == OURS else [],
            Path(directory),
            transport=system.transport,
            token_ms=TOKEN_MS,
            totem_extra=_conf_extra(system, mtu, keyfile, links),
            logging_extra=system.logging,
        )
        self._nodes = self._cluster.nodes
        for node in self._nodes.values():
            node.env = system.env
        self._alone = self._load = None
        self._together, self._cmap = [], []
        self._tries = 0

    def start(self):
        """Start its daemons, killed first if they ran."""
        for node in self._nodes.values():
            if node.process is not None:
                node.process.kill()
                node.log.unlink()
        self._cluster.start()
        self._tries += 1
        self._began_s = self._started_s = time.monotonic()

    def formed(self):
        """Whether all nodes are in one ring; a ring that stays apart is started again."""
        for node in self._nodes.values():
            assert node.running.exit_status is None, self._cluster.tail_logs()
        if self._all_say(f"Members[{len(self._nodes)}]"):
            return True
        now_s = time.monotonic()
        if not self._all_say(STARTED):
            assert now_s - self._began_s < START_WITHIN_S, self._cluster.tail_logs()
            self._started_s = now_s
        elif now_s - self._started_s > FORM_WITHIN_S:
            assert self._tries < FORM_TRIES, self._cluster.tail_logs()
            self.start()
        return False

    def whole(self):
        """Whether every node's last word is that all are in its ring."""
        members = f"Members[{len(self._nodes)}]"
        return all(
            node.log_text().rpartition("Members[")[2].startswith(members.partition("[")[2])
            for node in self._nodes.values()
        )

    def _all_say(self, text):
        return all(text in node.log_text() for node in self._nodes.values())

    def attach(self):
        """
        Start clients: one for each group of one, one of a group of all nodes, one of the map.

        They stay idle until they are asked; no message reaches the members of another's group.
        """
        nodes = list(self._nodes.values())
        self._alone = _cpg_client(nodes[0], "alone")
        self._load = _cpg_client(nodes[1 % len(nodes)], "load")
        self._together = [_cpg_client(node, "together") for node in nodes]
        self._cmap = [Asked(node.machine, node.workdir, "cmap_bench.c") for node in nodes]
        ask_all([self._alone, self._load], "members 1")
        ask_all(self._together, f"members {len(nodes)}")
        self._counters()

    def close(self):
        """Take it all down."""
        for client in (self._alone, self._load, *self._together, *self._cmap):
            if client is not None:
                client.close()
        self._cluster.__exit__(None, None, None)
        self._bed.__exit__(None, None, None)

    def cut(self, *networks):
        """Lose all that is sent on these networks, and nothing on others."""
        self._bed.set_faults(*(Fault(network) for network in networks))

    def slow(self, mbit_per_s):
        """Let no node send more than that on each of its networks."""
        limit = f"tbf rate {mbit_per_s}mbit burst {SLOW_BURST} latency {SLOW_LATENCY}"
        for machine in self._bed.machines.values():
            for network in range(self.system.networks):
                machine.run("tc", "qdisc", "add", "dev", f"eth{network}", "root", *limit.split())

    def freeze(self):
        """Stop all its daemons where they are."""
        for node in self._nodes.values():
            node.running.signal(signal.SIGSTOP)

    @contextlib.contextmanager
    def thawed(self):
        """Let it run for a while, with the token on its way."""
        for node in self._nodes.values():
            node.running.signal(signal.SIGCONT)
        self._settle()
        yield self
        self.freeze()

    def _settle(self):
        self._alone.ask(f"trip 64 {SETTLE_TRIPS} {SETTLE_S}")

    def flood(self, size, flood_s, warm_s=0.1, *, together=False):
        """
        Send as fast as the daemons take messages, from node 1 or from all nodes.

        Messages are counted as they are delivered: at node 1, or where the fewest are.

        :return: None when the ring was not whole all the time: fewer nodes are faster.
        """
        clients = self._together if together else [self._alone]
        if not self._wait_until_whole():
            return None
        tokens, frames, again = self._counters()
        rings = self._rings_formed()
        cpu_s, began = self.cpu_s(), time.monotonic()
        answers = ask_all(clients, f"flood {size} {warm_s} {flood_s}", warm_s + flood_s)
        cpu_s, took = self.cpu_s() - cpu_s, time.monotonic() - began
        later = self._counters()
        if not self.whole() or self._rings_formed() != rings:
            return None
        millions = max(sum(sent for _, _, sent, _ in answers), 1) / 1e6
        return Flood(
            min(counted / lasted if lasted else 0.0 for counted, lasted, _, _ in answers),
            cpu_s / millions,
            sum(client_s for *_, client_s in answers) / millions,
            (later[0] - tokens) / took,
            (later[2] - again) / max(later[1] - frames, 1) * 1e3,
        )

    def _rings_formed(self):
        return sum(node.log_text().count("Members[") for node in self._nodes.values())

    def _wait_until_whole(self):
        until_s = time.monotonic() + WHOLE_WITHIN_S
        while not self.whole():
            if time.monotonic() > until_s:
                return False
            time.sleep(FORM_POLL_S)
        return True

    def begin_flood(self, size, seconds):
        """Have node 1 flooded for so long, whatever else happens."""
        self._alone.tell(f"flood {size} 0.1 {seconds}")

    def end_flood(self):
        """Wait until it is over; messages a second."""
        counted, took, *_ = self._alone.answer()
        return counted / took

    def _counters(self):
        """Tokens that node 1 received; frames that all sent, and sent again."""
        answers = ask_all(self._cmap, "counters")
        return answers[0][0], sum(a[1] for a in answers), sum(a[2] for a in answers)

    def trip_us(self, size=64, trips=1500, seconds=0.35):
        """Median, 99th and 99.9th percentile of the round trip in an idle ring."""
        return self._alone.ask(f"trip {size} {trips} {seconds}")[:3]

    def loaded_trip_us(self, load_size, load_rate, trips, seconds):
        """The same while the client of node 2 sends at a given rate; and what rate it reached."""
        self._load.tell(f"pace {load_size} {load_rate:.1f} {seconds + 2 * LEAD_S}")
        time.sleep(LEAD_S)
        *trips_us, _ = self._alone.ask(f"trip 64 {trips} {seconds}")
        sent, took = self._load.answer()
        return trips_us, sent / took

    def connects_per_second(self, connects=300):
        """Connections made and closed by one client."""
        count, took = self._alone.ask(f"connect {connects}")
        return count / took

    def listing_ms(self, keys=10_000):
        """Time to list so many keys with their values."""
        self._cmap[0].ask(f"fill {keys}")
        listed, took = self._cmap[0].ask("list")
        assert listed == keys
        return took * 1e3

    def cpu_s(self):
        """Processor time of all daemons since their start, to the nanosecond."""
        pids = [node.running.pid for node in self._nodes.values()]
        return sum(time.clock_gettime(~pid << 3 | CPU_CLOCK) for pid in pids)

    def rss_max_mb(self):
        """The most resident memory that a daemon ever had."""
        return max(_high_water_bytes(node.running.pid) for node in self._nodes.values()) / 1e6

    def state_dir(self, nodeid):
        """Where a daemon keeps its files."""
        return self._nodes[nodeid].state_dir

    def pid(self, nodeid):
        """The daemon's."""
        return self._nodes[nodeid].running.pid


def _cpg_client(node, group):
    return Asked(node.machine, node.workdir, "cpg_bench.c", group)


def _high_water_bytes(pid):
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.partition("VmHWM:")[2].split()[0]) * 1024


@contextlib.contextmanager
def standing(names, nodes, mtu=1500, spared=contextlib.nullcontext, links=PATIENT_LINKS):
    """
    Bring up rings side by side; they run until they are frozen.

    :param spared: given a ring, a context that may swallow what stops it.
    :param links: timers of links of knet.
    """
    with contextlib.ExitStack() as stack:
        rings = []
        for name in names:
            directory = tempfile.TemporaryDirectory(prefix="corosync-tw-bench-")
            ring = Ring(SYSTEMS[name], nodes, mtu, stack.enter_context(directory), links)
            stack.callback(ring.close)
            ring.start()
            rings.append(ring)
        forming = list(rings)
        while forming:
            for ring in list(forming):
                formed = None
                with spared(ring):
                    formed = ring.formed()
                    if formed:
                        ring.attach()
                if formed is not False:
                    forming.remove(ring)
            time.sleep(FORM_POLL_S)
        yield rings


@contextlib.contextmanager
def running(name, nodes, mtu=1500, links=PATIENT_LINKS):
    """Bring up one ring."""
    with standing([name], nodes, mtu, links=links) as (ring,):
        ring._settle()
        yield ring
