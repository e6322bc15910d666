"""
How the datagrams of a node travel over redundant rings.

Source: corosync 1.4.10 exec/totemrrp.c for what is logged; 2.4.6 exec/main.c
corosync_totem_stats_updater for the keys.
"""

import os
from collections.abc import Mapping
from typing import Any, Final

from twisted.python.failure import Failure
from zope.interface import implementer

from corosync_tw.config.load import rrp_params
from corosync_tw.config.schema import Config
from corosync_tw.corotypes import RingId
from corosync_tw.daemon.carriage import Failed, GiveConfig, follow
from corosync_tw.daemon.datagram_keys import DatagramKeys
from corosync_tw.daemon.facts import NodeFacts
from corosync_tw.daemon.journal import Journal
from corosync_tw.daemon.ring_facts import RingFacts
from corosync_tw.logsys.rings import active_status, describe_ring
from corosync_tw.net.driver import Driver
from corosync_tw.net.interfaces import INetObserver, NetEvent, NetEventKind
from corosync_tw.net.linked import LinkedTransport
from corosync_tw.net.stats import TransportStats
from corosync_tw.net.udp_network import UdpNetwork
from corosync_tw.services.cmap.live import Provider
from corosync_tw.services.cmap.runtime_keys import RINGS_PREFIX
from corosync_tw.services.cmap.store import CmapStore
from corosync_tw.services.cmap.values import TypedValue
from corosync_tw.services.stack import Stack
from corosync_tw.services.stats.rings import ring_tables
from corosync_tw.totem.links import LinkEvent, LinkEventKind
from corosync_tw.totem.rrp.probe import Authenticator, HmacAuthenticator, NoAuthenticator
from corosync_tw.totem.rrp.redundant import RedundantRing

_SEED_BYTES: Final = 8


@implementer(INetObserver)
class _Ear:
    """Follows the interface of one network, and passes on what is said of it."""

    def __init__(self, observer: INetObserver, address: str) -> None:
        """:param address: ours on that network."""
        self._observer = observer
        self._address = address
        self.up = True

    def net_event(self, event: NetEvent) -> None:
        """Take note of ``event``, and say which of several interfaces is down."""
        if event.kind is NetEventKind.INTERFACE_DOWN:
            self.up = False
            event = NetEvent(event.kind, f"The network interface [{self._address}] is down.")
        elif event.kind is NetEventKind.INTERFACE_UP:
            self.up = True
        self._observer.net_event(event)


class RingCarriage:
    """
    Implements Carriage, and observes the rings.

    :ivar statuses: of each ring, in 1.x's words.
    """

    def __init__(
        self, reactor: Any, config: Config, observer: INetObserver, make: Any, title: str
    ) -> None:
        """
        Make the transport.

        :param make: makes the transport of one network: reactor, link, observer, counters.
        :raises NetError: an address is not what it should be.
        """
        self.title = title
        self.stats = TransportStats()
        links = config.membership.links
        self._stack: Stack | None = None
        self._journal: Journal | None = None
        self._failed: Failed | None = None
        self._seed = int.from_bytes(os.urandom(_SEED_BYTES), "little")
        self._addresses = [str(link.local_address) for link in links]
        self._ears = [_Ear(observer, address) for address in self._addresses]
        self._networks = [
            UdpNetwork(make(reactor, config, link, ear, self.stats))
            for link, ear in zip(links, self._ears, strict=True)
        ]
        self._keys = DatagramKeys(network.transport for network in self._networks)
        self.statuses = [active_status(number) for number in range(len(links))]
        self._key = config.crypto.key
        self._authenticator = _authenticator(self._key)
        self.layer = RedundantRing(
            rrp_params(config, self._seed), self._missing, self._authenticator
        )
        self.transport = LinkedTransport(
            reactor,
            self.layer,
            dict(enumerate(self._networks)),
            self,
            self.stats,
            now_ns=Driver.now_ns,
        )

    def attach(self, stack: Stack, journal: Journal, failed: Failed) -> None:
        """Show the state of the rings in the map, and write down what happens to them."""
        self._stack, self._journal, self._failed = stack, journal, failed
        self._keys.attach(stack, journal)
        for number in range(len(self._networks)):
            self._show(number, "")

    def facts(self, config: GiveConfig, stack: Stack, store: CmapStore) -> NodeFacts:
        """Make what clients of cfg are told."""
        return RingFacts(config, stack, store, self)

    def adopt(self, old: Config, new: Config) -> None:
        """Follow the nodelist and the key, and take over timeouts and thresholds."""
        for number, network in enumerate(self._networks):
            follow(network.transport, old.membership.links, new.membership.links, number)
            network.transport.block_unlisted(new.totem.block_unlisted_ips)
        params = rrp_params(new, self._seed)
        if params != self.layer.params:
            self.transport.order(lambda now_ns: self.layer.reconfigure(params, now_ns))
        self._key = new.crypto.key
        self._keys.follow(old, new)

    def learnt(self, nodeid: int) -> list[str]:
        """Give the addresses that were learnt, by ring, as far as they are known."""
        found = [network.transport.members().get(nodeid) for network in self._networks]
        return [address for address in found if address is not None]

    def reenable(self) -> None:
        """Use all networks again."""
        self.transport.order(lambda now_ns: self.layer.reenable(None, now_ns))

    def use_keys(self) -> None:
        """Seal with the new key on all rings, and sign tests with it."""
        self._keys.use()
        if isinstance(self._authenticator, HmacAuthenticator):
            self._authenticator.change_key(self._key)

    def forget_keys(self) -> None:
        """Forget the old key."""
        self._keys.forget_old()

    def stats_providers(self) -> Mapping[str, Provider]:
        """Give the counters of the rings."""
        return ring_tables(self.layer)

    def in_use(self, number: int) -> bool:
        """Tell whether a network works as far as we know: its interface is up, and no fault."""
        return self._ears[number].up and not self.layer.faulty(number)

    # LinkObserver

    def link_event(self, event: LinkEvent) -> None:
        """Write it down, and show it."""
        journal = self._journal
        assert journal is not None, "attached before it starts"
        journal.flight.link_event(event)
        said = describe_ring(event, self._addresses[event.link])
        for message in said.messages:
            journal.write(message)
        if said.trouble:
            journal.troubles.add(said.kind, said.trouble)
        if event.kind is LinkEventKind.FAULTY:
            self.statuses[event.link] = said.messages[0].text
            assert self._stack is not None, "attached before it starts"
            self._stack.srp.window.forget_losses()
        elif event.kind is LinkEventKind.RECOVERED:
            self.statuses[event.link] = active_status(event.link)
        else:
            return
        self._show(event.link, said.messages[-1].text)

    def links_failed(self, failure: Failure) -> None:
        """End the node."""
        assert self._failed is not None, "attached before it starts"
        self._failed(failure)

    def _show(self, number: int, evidence: str) -> None:
        assert self._stack is not None, "attached before it starts"
        store = self._stack.cmap.store
        store.set(
            f"{RINGS_PREFIX}{number}.faulty",
            TypedValue.u8(int(self.layer.faulty(number))),
        )
        prefix = f"runtime.corosync_tw.rings.{number}"
        store.set(f"{prefix}.status", TypedValue.string(self.statuses[number]))
        store.set(f"{prefix}.evidence", TypedValue.string(evidence))

    def _missing(self, ring_id: RingId, seq: int) -> int | None:
        assert self._stack is not None, "attached before it starts"
        return self._stack.srp.missing(ring_id, seq)


def _authenticator(key: bytes) -> Authenticator:
    """Have tests of faulty networks signed when there is a key."""
    return HmacAuthenticator(key) if key else NoAuthenticator()
