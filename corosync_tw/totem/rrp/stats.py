"""Counters of a redundant ring."""

from dataclasses import dataclass


@dataclass(slots=True)
class LinkStats:
    """
    Of one network; all start at 0 and only grow.

    :ivar tokens_rx: tokens that it brought, copies among them.
    :ivar messages_rx: messages of the ring, likewise.
    :ivar tokens_tx: tokens sent on it.
    :ivar messages_tx: messages sent on it.
    :ivar tokens_missed: tokens that it did not bring in time (active).
    :ivar faults: how often it became faulty.
    :ivar recoveries: how often it was used again.
    """

    tokens_rx: int = 0
    messages_rx: int = 0
    tokens_tx: int = 0
    messages_tx: int = 0
    tokens_missed: int = 0
    faults: int = 0
    recoveries: int = 0


@dataclass(slots=True)
class RrpStats:
    """
    Of all networks together; all start at 0 and only grow.

    :ivar tokens_waited: tokens that did not go up when they came.
    :ivar tokens_expired: of those, tokens that went up when the timer fired.
    :ivar tokens_late: copies of a token that had gone up.
    :ivar tokens_stale: tokens older than the present one.
    :ivar tokens_resent: tokens sent on another network, because nobody seemed to have them.
    :ivar probes_refused: packets of tests of faulty networks that were not believed.
    :ivar probes_late: such packets that came when their test was over.
    """

    tokens_waited: int = 0
    tokens_expired: int = 0
    tokens_late: int = 0
    tokens_stale: int = 0
    tokens_resent: int = 0
    probes_refused: int = 0
    probes_late: int = 0
