"""
Parameters of the services of one node, fixed for the life of a stack.

Made from corosync.conf by ``corosync_tw.config.load`` alone.
Source: Corosync exec/votequorum.c votequorum_readconfig, exec/cmap.c cmap_sync_init.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServiceParams:
    """
    All that the services know of the configuration.

    :ivar nodeid: ours.
    :ivar votes: our votes (nodelist quorum_votes or quorum.votes).
    :ivar expected_votes: quorum.expected_votes, else the sum of the nodelist's votes.
    :ivar two_node: quorum.two_node.
    :ivar wait_for_all: quorum.wait_for_all; None when it is not written, and then it follows
    two_node.
    :ivar allow_downscale: quorum.allow_downscale; a clean leave is announced with the LEAVING flag.
    :ivar votequorum: quorum.provider is corosync_votequorum; without a provider the node is always
    quorate.
    :ivar config_version: totem.config_version; 0 when it is not written.
    :ivar ip_text: our addresses as Corosync shows them, ``r(0) ip(127.0.0.1) ``.
    """

    nodeid: int
    votes: int = 1
    expected_votes: int = 1
    two_node: bool = False
    wait_for_all: bool | None = None
    allow_downscale: bool = False
    votequorum: bool = True
    config_version: int = 0
    ip_text: str = ""
