"""
Serial number arithmetic of message and token sequence numbers.

A sequence number is an unsigned 32-bit integer that wraps; ``a < b`` means that b is ahead by less
than half the circle. Numbers exactly half a circle apart have no order: then neither
``seq_lt(a, b)`` nor ``seq_lt(b, a)`` holds, and ``seq_diff`` gives -2**31 either way.

Source: RFC 1982; Corosync include/corosync/sq.h and exec/totemsrp.c sq_lt_compare, sq_lte_compare.
"""

from typing import Final

SEQ_MASK: Final = 0xFFFFFFFF
# A node counts its mcasts of whatever ring in a signed word.
THIS_SEQNO_MASK: Final = 0x7FFFFFFF
_HALF: Final = 0x80000000
_CIRCLE: Final = 0x100000000


def seq_add(a: int, n: int) -> int:
    """
    Move a sequence number.

    :param n: steps; negative moves back.
    """
    return (a + n) & SEQ_MASK


def seq_diff(a: int, b: int) -> int:
    """
    Give the signed distance ``a - b``: positive when a is ahead of b.

    Post: ``seq_add(b, seq_diff(a, b)) == a`` and the result lies in [-2**31, 2**31).
    """
    distance = (a - b) & SEQ_MASK
    return distance if distance < _HALF else distance - _CIRCLE


def seq_lt(a: int, b: int) -> bool:
    """Tell whether b is ahead of a."""
    return 0 < ((b - a) & SEQ_MASK) < _HALF


def seq_lte(a: int, b: int) -> bool:
    """Tell whether b is a or ahead of a."""
    return ((b - a) & SEQ_MASK) < _HALF
