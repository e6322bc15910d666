"""
Parameters of the services of one node, fixed for the life of a stack.

Made from corosync.conf by ``corosync_tw.config.load`` alone.
Source: Corosync exec/votequorum.c votequorum_readconfig, exec/cmap.c cmap_sync_init.
"""

from dataclasses import dataclass

from corosync_tw.services.votequorum.params import (
    LAST_MAN_STANDING_WINDOW_NS,
    NO_TIE_BREAKER,
    DeviceParams,
    TieBreakerRule,
    VotequorumParams,
)


@dataclass(frozen=True, slots=True)
class ServiceParams:
    """
    All that the services know of the configuration.

    :ivar nodeid: ours.
    :ivar votes: our votes (nodelist quorum_votes or quorum.votes).
    :ivar expected_votes: quorum.expected_votes, else the sum of the nodelist's votes, with the
        quorum device's if those are not written either.
    :ivar listed_votes: sum of the nodelist's votes, 0 without a nodelist.
    :ivar two_node: quorum.two_node.
    :ivar wait_for_all: quorum.wait_for_all; None when it is not written, and then it follows
    two_node.
    :ivar allow_downscale: quorum.allow_downscale; a clean leave is announced with the LEAVING flag.
    :ivar tie_breaker: quorum.auto_tie_breaker and auto_tie_breaker_node.
    :ivar ev_tracking_barrier: the stored highest expected votes; see ``tracks_expected_votes``.
    :ivar device: quorum.device with a model.
    :ivar votequorum: quorum.provider is corosync_votequorum; without a provider the node is always
    quorate.
    :ivar ykd: quorum.provider is corosync_ykd; at most one of the two.
    :ivar config_version: totem.config_version; 0 when it is not written.
    :ivar receive_msgs_max: full frames that our receive buffers hold; 0 if that is not known, and
        then no ring of ours sends more than configured.
    :ivar ip_text: our addresses as Corosync shows them, ``r(0) ip(127.0.0.1) ``.
    """

    nodeid: int
    votes: int = 1
    expected_votes: int = 1
    two_node: bool = False
    wait_for_all: bool | None = None
    allow_downscale: bool = False
    last_man_standing: bool = False
    last_man_standing_window_ns: int = LAST_MAN_STANDING_WINDOW_NS
    tie_breaker: TieBreakerRule = NO_TIE_BREAKER
    expected_votes_tracking: bool = False
    ev_tracking_barrier: int = 0
    listed_votes: int = 0
    device: DeviceParams | None = None
    votequorum: bool = True
    ykd: bool = False
    config_version: int = 0
    receive_msgs_max: int = 0
    ip_text: str = ""

    @property
    def tracks_expected_votes(self) -> bool:
        """Whether the driver has to keep the highest expected votes (the file ev_tracking)."""
        return self.votequorum and self.voting().tracks_expected_votes

    def voting(self) -> VotequorumParams:
        """Make the parameters of votequorum."""
        return VotequorumParams(
            nodeid=self.nodeid,
            votes=self.votes,
            expected_votes=self.expected_votes,
            two_node=self.two_node,
            wait_for_all=self.wait_for_all,
            allow_downscale=self.allow_downscale,
            last_man_standing=self.last_man_standing,
            last_man_standing_window_ns=self.last_man_standing_window_ns,
            tie_breaker=self.tie_breaker,
            expected_votes_tracking=self.expected_votes_tracking,
            ev_tracking_barrier=self.ev_tracking_barrier,
            listed_votes=self.listed_votes,
            device=self.device,
        )
