"""
How the datagrams of a node travel: its transport, and what the rest of the daemon knows of it.

One class for each way; ``daemon.network`` chooses. Here is the plain one, udp or udpu over a single
network.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from twisted.python.failure import Failure

from corosync_tw.config.links import Link
from corosync_tw.config.schema import Config
from corosync_tw.daemon.datagram_keys import DatagramKeys
from corosync_tw.daemon.facts import NodeFacts
from corosync_tw.daemon.journal import Journal
from corosync_tw.net.guarded import AnyUdpTransport
from corosync_tw.net.interfaces import ITransport
from corosync_tw.net.stats import TransportStats
from corosync_tw.services.cmap.live import Provider
from corosync_tw.services.cmap.store import CmapStore
from corosync_tw.services.stack import Stack

GiveConfig = Callable[[], Config]
Failed = Callable[[Failure], None]


class MemberTable(Protocol):
    """The part of a transport that follows the nodelist (IMemberTable)."""

    def members(self) -> Mapping[int, str]:
        """Give the address of every other node."""

    def add_member(self, nodeid: int, address: str) -> None:
        """List a node."""

    def remove_member(self, nodeid: int) -> None:
        """Forget a node."""

    def block_unlisted(self, block: bool) -> None:
        """Drop what comes from addresses that are not listed, or take it."""


class Carriage(Protocol):
    """
    What carries the datagrams of one node.

    :ivar transport: for the driver, not started yet.
    :ivar stats: counters of the transport.
    :ivar title: for the log, as stock has it.
    """

    title: str

    @property
    def transport(self) -> ITransport:
        """Give the transport."""

    @property
    def stats(self) -> TransportStats:
        """Give its counters."""

    def attach(self, stack: Stack, journal: Journal, failed: Failed) -> None:
        """
        Learn what node it is for; once, before the transport starts.

        :param failed: ends the node, because an invariant is broken.
        """

    def facts(self, config: GiveConfig, stack: Stack, store: CmapStore) -> NodeFacts:
        """Make what clients of cfg are told about the links."""

    def adopt(self, old: Config, new: Config) -> None:
        """Follow the nodelist and what else may change of the links; nothing can fail any more."""

    def learnt(self, nodeid: int) -> list[str]:
        """List addresses of a node that no file names."""

    def reenable(self) -> None:
        """Use all networks again."""

    def use_keys(self) -> None:
        """Seal with the key that all members have by now."""

    def forget_keys(self) -> None:
        """Open nothing any more that an old key sealed."""

    def stats_providers(self) -> Mapping[str, Provider]:
        """Give what is to be seen in the stats map, by prefix."""


class UdpCarriage:
    """Implements Carriage: one network."""

    def __init__(self, transport: AnyUdpTransport, title: str) -> None:
        self.transport = transport
        self.stats = transport.stats
        self.title = title
        self._keys = DatagramKeys([transport])

    def attach(self, stack: Stack, journal: Journal, failed: Failed) -> None:
        """Have keys agreed on."""
        del failed
        self._keys.attach(stack, journal)

    def facts(self, config: GiveConfig, stack: Stack, store: CmapStore) -> NodeFacts:
        """Make what clients of cfg are told."""
        return NodeFacts(config, stack, store)

    def adopt(self, old: Config, new: Config) -> None:
        """Follow the nodelist and the key."""
        follow(self.transport, old.membership.links, new.membership.links)
        self.transport.block_unlisted(new.totem.block_unlisted_ips)
        self._keys.follow(old, new)

    def learnt(self, nodeid: int) -> list[str]:
        """Give the address that was learnt."""
        address = self.transport.members().get(nodeid)
        return [] if address is None else [address]

    def reenable(self) -> None:
        """Do nothing: there is one network."""

    def use_keys(self) -> None:
        """Seal with the new key."""
        self._keys.use()

    def forget_keys(self) -> None:
        """Forget the old key."""
        self._keys.forget_old()

    def stats_providers(self) -> Mapping[str, Provider]:
        """Give nothing more."""
        return {}


def follow(table: MemberTable, old: Sequence[Link], new: Sequence[Link], number: int = 0) -> None:
    """Put the nodes of a link in place of those that were on it."""
    before, after = _members(old, number), _members(new, number)
    for nodeid in before.keys() - after.keys():
        table.remove_member(nodeid)
    for nodeid, address in after.items():
        if nodeid not in before:
            table.add_member(nodeid, address)


def _members(links: Sequence[Link], number: int) -> dict[int, str]:
    return {
        member.nodeid: str(member.address)
        for link in links
        if link.linknumber == number
        for member in link.members
    }
