"""The whole configuration: every section with its typed directives, and what follows from them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from corosync_tw.config.crypto import CryptoConfig
from corosync_tw.config.directive import Directive, SectionConfig, directives
from corosync_tw.config.links import Membership
from corosync_tw.config.schema_services import (
    CfgConfig,
    DeviceNetConfig,
    HeuristicsConfig,
    LoggerSubsysConfig,
    LoggingConfig,
    LoggingDaemonConfig,
    MonitorConfig,
    NozzleConfig,
    PloadConfig,
    QuorumConfig,
    QuorumDeviceConfig,
    ResourcesConfig,
    SystemConfig,
    UidGidConfig,
)
from corosync_tw.config.schema_totem import InterfaceConfig, NodeConfig, TotemConfig
from corosync_tw.config.timing import TotemTiming
from corosync_tw.config.tree import Section


@dataclass(frozen=True, slots=True, kw_only=True)
class Sections:
    """
    A corosync.conf as the reader leaves it: typed, but with nothing looked up and nothing compared.

    :ivar file: name of the file.
    :ivar root: what the file says, word for word.
    :ivar extra: keys that no directive claims, by their cmap name; stock keeps them in cmap.
    """

    file: str
    root: Section = field(compare=False, repr=False)
    totem: TotemConfig
    nodelist: tuple[NodeConfig, ...]
    quorum: QuorumConfig
    logging: LoggingConfig
    system: SystemConfig
    resources: ResourcesConfig
    nozzle: NozzleConfig
    pload: PloadConfig
    cfg: CfgConfig
    uidgid: UidGidConfig
    extra: dict[str, str]

    def is_legacy(self) -> bool:
        """Tell whether the file is in the style of 1.x: addresses in interface, no nodelist."""
        return not self.nodelist and any(i.bindnetaddr for i in self.totem.interfaces)

    def transport(self) -> str:
        """Return the transport in force."""
        return self.totem.transport or ("udp" if self.is_legacy() else "knet")

    def is_redundant(self) -> bool:
        """Tell whether udp or udpu is to use several networks (rrp_mode)."""
        return self.totem.rrp_mode != "none" and self.transport() in {"udp", "udpu"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Config(Sections):
    """
    A configuration without faults.

    :ivar membership: who we are, our links and the nodes on them.
    :ivar timing: all timeouts in force.
    :ivar crypto: encryption in force, with its key.
    :ivar warnings: one line each, like faults; the file works, but not all of it as written.
    """

    membership: Membership
    timing: TotemTiming
    crypto: CryptoConfig
    warnings: tuple[str, ...]

    @property
    def nodeid(self) -> int:
        """Our own node id."""
        return self.membership.local_nodeid


# Dotted path of a section in the file, X for a name that the user chooses, and the class of its
# directives.
SECTION_CLASSES: Final[dict[str, type[SectionConfig]]] = {
    "totem": TotemConfig,
    "totem.interface": InterfaceConfig,
    "nodelist.node": NodeConfig,
    "quorum": QuorumConfig,
    "quorum.device": QuorumDeviceConfig,
    "quorum.device.net": DeviceNetConfig,
    "quorum.device.heuristics": HeuristicsConfig,
    "logging": LoggingConfig,
    "logging.logger_subsys": LoggerSubsysConfig,
    "logging.logging_daemon": LoggingDaemonConfig,
    "system": SystemConfig,
    "resources": ResourcesConfig,
    "resources.system.X": MonitorConfig,
    "resources.process.X": MonitorConfig,
    "nozzle": NozzleConfig,
    "pload": PloadConfig,
    "cfg": CfgConfig,
}


def all_directives() -> Iterator[tuple[str, Directive]]:
    """Yield (dotted name, directive) of the whole schema, for the manual and for tests."""
    for path, section in SECTION_CLASSES.items():
        for _, declared in directives(section):
            yield f"{path}.{declared.key}", declared
