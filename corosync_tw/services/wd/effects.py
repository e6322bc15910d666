"""What the wd service asks of the daemon, which has the device."""

from dataclasses import dataclass

from corosync_tw.services.effects import LocalEffect


@dataclass(slots=True)
class OpenDog(LocalEffect):
    """
    Open and arm the watchdog; ``WdEngine.dog_armed`` when it is.

    :ivar device: its path.
    """

    device: str
    timeout_s: int


@dataclass(slots=True)
class SetDogTimeout(LocalEffect):
    """Change the timeout of the open device, and tell ``WdEngine.dog_armed`` what it became."""

    timeout_s: int


@dataclass(slots=True)
class TickleDog(LocalEffect):
    """All is well: keep the watchdog from biting."""


@dataclass(slots=True)
class PowerWanted(LocalEffect):
    """
    A resource failed that is to take the machine with it, at once and without mercy.

    :ivar off: power off instead of a reboot.
    """

    off: bool
