"""
How the datagrams of a node travel over the links of knet.

Source: corosync 3.1.7 exec/totemknet.c, totemknet_initialize, totemknet_iface_set,
totemknet_refresh_config.
"""

from collections.abc import Callable, Mapping
from typing import Any

from twisted.python.failure import Failure

from corosync_tw.config.schema import Config
from corosync_tw.daemon.facts import NodeFacts
from corosync_tw.daemon.journal import Journal
from corosync_tw.daemon.knet_facts import KnetFacts
from corosync_tw.daemon.knet_params import carrier_settings, knet_params
from corosync_tw.daemon.knet_troubles import refusal_text
from corosync_tw.daemon.node_keys import NodeKeys
from corosync_tw.logsys.knet import describe_knet
from corosync_tw.logsys.levels import Level
from corosync_tw.logsys.traces import Message
from corosync_tw.net.driver import Driver
from corosync_tw.net.ifaddr import local_addresses
from corosync_tw.net.interfaces import INetObserver
from corosync_tw.net.knet.stats import Refusal
from corosync_tw.net.knet_carrier import CarrierSettings
from corosync_tw.net.knet_transport import KnetTransport
from corosync_tw.services.cmap.live import Provider
from corosync_tw.services.cmap.store import CmapStore
from corosync_tw.services.stack import Stack
from corosync_tw.services.stats import knet
from corosync_tw.totem.links import LinkEvent, LinkEventKind


class KnetCarriage:
    """Implements Carriage, and observes the links."""

    title = "Kronosnet"

    def __init__(self, reactor: Any, config: Config, observer: INetObserver) -> None:
        """Make the transport. Raises: NetError, DaemonError."""
        self._config = config
        self._on_failure: Callable[[Failure], None] | None = None
        self._journal: Journal | None = None
        self._stack: Stack | None = None
        self._reactor = reactor
        self._keys = NodeKeys(config, Driver.now_ns, self._followed)
        self.transport = KnetTransport(
            reactor,
            knet_params(config, _interface_mtus()),
            _settings(config),
            observer,
            self,
            now_ns=Driver.now_ns,
            seal=self._keys.seal,
        )
        self.stats = self.transport.stats

    def attach(self, stack: Stack, journal: Journal, on_failure: Callable[[Failure], None]) -> None:
        """Have what happens to the links written down, and what they begin as."""
        self._stack, self._journal, self._on_failure = stack, journal, on_failure
        journal.totem.info("totemknet initialized")
        if self._config.nozzle.name is not None:
            journal.totem.warning(
                "nozzle devices are not in this version, {name} is not made",
                name=self._config.nozzle.name,
            )
        self._say_mtu(journal, self._config)
        self._say_links(journal, self._config)

    def facts(self, config: Callable[[], Config], stack: Stack, store: CmapStore) -> NodeFacts:
        """Make what clients of cfg are told."""
        return KnetFacts(config, stack, store, self.transport)

    def adopt(self, old: Config, new: Config) -> None:
        """Follow nodes, links, timers, priorities and keys."""
        self._config = new
        journal = self._journal
        assert journal is not None, "attached before"
        self._say_links(journal, new)
        params = knet_params(new, _interface_mtus())
        for trouble in self.transport.reconfigure(params, _settings(new)):
            journal.totem.error("{text}", text=f"A new link stays down: {trouble}")
        self._say_mtu(journal, new)
        self._change_keys(old, new, journal)

    def _change_keys(self, old: Config, new: Config, journal: Journal) -> None:
        text = self._keys.change(old, new)
        if text is None:
            return
        journal.write(Message("KNET", Level.INFO, f"kronosnet crypto reconfigured {text}"))
        self._seal_anew()
        assert self._stack is not None, "attached before"
        self._stack.cfg.keys_changed(Driver.now_ns())

    def use_keys(self) -> None:
        """Do nothing: a key is used as soon as it is read."""

    def forget_keys(self) -> None:
        """Open nothing any more that an old key sealed."""
        self._keys.forget_old()
        self._seal_anew()

    def _followed(self) -> None:
        """Do the rest when the packet is done with."""
        self._reactor.callLater(0, self._seal_anew)

    def _seal_anew(self) -> None:
        """Have the engine look at the seal again: sizes may be others."""
        seal = self._keys.seal
        self.transport.order(lambda now_ns: self.transport.engine.set_seal(seal, now_ns))

    def learnt(self, nodeid: int) -> list[str]:
        """List nothing: every node is in the file."""
        del nodeid
        return []

    def reenable(self) -> None:
        """Do nothing: a link is used again when pongs come."""

    def stats_providers(self) -> Mapping[str, Provider]:
        """Give ``stats.knet``."""
        return {knet.PREFIX: knet.KnetKeys(self.transport)}

    # LinkObserver

    def link_event(self, event: LinkEvent) -> None:
        """Write it down."""
        journal = self._journal
        if journal is None:
            return
        journal.flight.link_event(event)
        if event.kind is LinkEventKind.PACKET_REFUSED:
            if event.values[0] == Refusal.MALFORMED and self._keys.follow_from_clear():
                self._followed()
            source = self.transport.engine.refused_source(event.values[0], event.nodeid)
            journal.trouble("KNET", refusal_text(event, source))
            return
        if event.kind is LinkEventKind.HOST_DOWN:
            assert self._stack is not None, "attached with the journal"
            self._stack.srp.window.forget_losses()
        for message in describe_knet(event):
            journal.write(message)

    def links_failed(self, failure: Failure) -> None:
        """End the node."""
        assert self._on_failure is not None, "attached before"
        self._on_failure(failure)

    @staticmethod
    def _say_mtu(journal: Journal, config: Config) -> None:
        text = f"pmtud: MTU manually set to: {config.totem.knet_mtu_bytes}"
        journal.write(Message("KNET", Level.INFO, text))

    @staticmethod
    def _say_links(journal: Journal, config: Config) -> None:
        for link in config.membership.links:
            number, address = link.linknumber, link.local_address
            journal.totem.info("Configuring link {number}", number=number)
            journal.totem.info(
                "Configured link number {number}: local addr: {address}, port={port}",
                number=number,
                address=address,
                port=link.port,
            )


def _settings(config: Config) -> dict[int, CarrierSettings]:
    return {link.linknumber: carrier_settings(config, link) for link in config.membership.links}


def _interface_mtus() -> dict[str, int]:
    """Give the MTUs of our interfaces by address; none where the kernel does not tell."""
    return {each.address: each.mtu for each in local_addresses() if each.mtu}
