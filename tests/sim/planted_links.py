"""Mutations of the link layers, each a plausible slip of the pen; see ``planted``."""

from corosync_tw.net.knet.heartbeat import Heartbeat
from corosync_tw.totem.rrp import judge, redundant
from corosync_tw.totem.rrp.gate import TokenGate
from corosync_tw.totem.rrp.health import Health
from corosync_tw.totem.rrp.judge import Judge
from corosync_tw.totem.rrp.monitor import Monitor
from corosync_tw.totem.rrp.resend import TokenResend
from corosync_tw.totem.rrp.rotation import Rotation
from tests.sim.planted import Patch

# Name of the mutation: which networks show it, and what it does.
ANY = ("passive", "active", "active-passive")
LINK_MUTATIONS = {}


def mutation(*layers):
    def keep(make):
        LINK_MUTATIONS[make.__name__] = (layers, make)
        return make

    return keep


@mutation("passive")
def never_wait_for_messages() -> list[Patch]:
    """What Corosync 1.x does: its main_msgs_missing is a stub."""
    return [(TokenGate, "_waits_for_messages", lambda _self: False)]


@mutation("passive")
def leave_lost_tokens_to_the_ring() -> list[Patch]:
    def sent(self, *_args, **_kwargs):
        self.due_ns = None

    return [(TokenResend, "sent", sent)]


@mutation(*ANY)
def never_accuse_a_network() -> list[Patch]:
    return [(Health, "fault", lambda *_args: None)]


@mutation("passive")
def accuse_the_best_network() -> list[Patch]:
    real = judge._lagging

    def lagging(monitor, judged, *more):
        found = real(monitor, judged, *more)
        best = max(range(len(monitor.counts)), key=monitor.counts.__getitem__)
        return [verdict._replace(link=best) for verdict in found[:1]]

    return [(judge, "_lagging", lagging)]


@mutation("passive")
def send_all_tokens_on_the_first_network() -> list[Patch]:
    return [(Rotation, "token_links", lambda _self, live, copies: list(live)[:copies])]


@mutation("active")
def accuse_without_a_threshold() -> list[Patch]:
    real = Judge.token_taken

    def token_taken(self, *args, **kwargs):
        self.problems = [9 * self._params.problem_count_threshold] * len(self.problems)
        return real(self, *args, **kwargs)

    return [(Judge, "token_taken", token_taken)]


@mutation("passive")
def keep_no_difference_when_counts_are_made_smaller() -> list[Patch]:
    def count(self, link):
        self.counts[link] = (self.counts[link] + 1) & 0xFFFF

    return [(Monitor, "count", count)]


@mutation(*ANY)
def never_put_a_network_back() -> list[Patch]:
    return [(Health, "recover", lambda *_args, **_kwargs: False)]


@mutation(*ANY)
def forget_the_tokens_of_a_faulty_network() -> list[Patch]:
    real = redundant.RedundantRing.receive

    def receive(self, link, arrivals, now_ns):
        if not self.faulty(link):
            real(self, link, arrivals, now_ns)

    return [(redundant.RedundantRing, "receive", receive)]


@mutation("knet-passive")
def never_find_a_link_down() -> list[Patch]:
    return [(Heartbeat, "_down", lambda *_args: None)]


@mutation("knet-passive")
def never_find_a_link_up_again() -> list[Patch]:
    real = Heartbeat._up

    def up(self, host, link, now_ns):
        if link.stats.down_count == 0:
            real(self, host, link, now_ns)

    return [(Heartbeat, "_up", up)]
