"""Counters of a stack."""

from dataclasses import dataclass


@dataclass(slots=True)
class StackStats:
    """
    Counters of the layers above the ring.

    :ivar messages_delivered: totempg messages of all groups.
    :ivar messages_malformed: dropped, because they are not what they claim to be.
    :ivar messages_unknown: dropped, because nobody here handles their group or id.
    """

    messages_delivered: int = 0
    messages_malformed: int = 0
    messages_unknown: int = 0
