"""What the mon service asks of the daemon."""

from dataclasses import dataclass

from corosync_tw.services.effects import LocalEffect


@dataclass(slots=True)
class SampleWanted(LocalEffect):
    """
    Measure now, and call ``MonEngine.sampled`` with the outcome.

    :ivar resource: ``memory_used`` or ``load_15min``.
    """

    resource: str
