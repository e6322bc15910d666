"""What the configuration map tells the daemon of other members."""

from dataclasses import dataclass

from corosync_tw.services.effects import LocalEffect


@dataclass(slots=True)
class ConfigVersionDiffers(LocalEffect):
    """
    A member has told another totem.config_version than ours; both are more than 0.

    :ivar version: its; ``ours`` is ours.
    """

    nodeid: int
    version: int
    ours: int
