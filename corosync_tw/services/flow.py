"""
When local clients may send: the level of the outgoing queue, with hysteresis.

Source: Corosync exec/totempg.c check_q_level, exec/ipc_glue.c cs_ipcs_check_for_flow_control.
"""

from enum import IntEnum


class QueueLevel(IntEnum):
    """Levels of the queue (totem.h, enum totem_q_level)."""

    LOW = 0
    GOOD = 1
    HIGH = 2
    CRITICAL = 3


def next_level(level: QueueLevel, percent_used: float) -> QueueLevel:
    """Follow the queue; between the bands the level stays what it was."""
    if percent_used >= 75:
        return QueueLevel.CRITICAL
    if percent_used < 30:
        return QueueLevel.LOW
    if 40 < percent_used < 50:
        return QueueLevel.GOOD
    if 60 < percent_used < 70:
        return QueueLevel.HIGH
    return level
