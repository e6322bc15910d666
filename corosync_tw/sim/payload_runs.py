"""Runs of frames with payloads that are not totempg packets, for rings without totempg."""

from array import array
from collections.abc import Iterable
from itertools import groupby

from corosync_tw.corotypes import Guarantee
from corosync_tw.totem import wire
from corosync_tw.totem.runs import SentRun
from corosync_tw.totem.seqno import SEQ_MASK, THIS_SEQNO_MASK

# Places of fields in a mcast header.
_NODEID, _SEQ, _THIS_SEQNO = 4, 7, 8


def payload_runs(header: bytes, payloads: Iterable[tuple[Guarantee, bytes]]) -> list[SentRun]:
    """
    Make one frame of each payload.

    :param header: mcast header of the first frame; the numbers of the others follow.
    """
    fields = list(wire.MCAST.unpack(header))
    runs = []
    for guarantee, group in groupby(payloads, lambda pair: pair[0]):
        frames = []
        first_seq = fields[_SEQ]
        for _, payload in group:
            frames.append(wire.MCAST.pack(*fields[:-1], guarantee) + payload)
            fields[_SEQ] = fields[_SEQ] + 1 & SEQ_MASK
            fields[_THIS_SEQNO] = fields[_THIS_SEQNO] + 1 & THIS_SEQNO_MASK
        ends = array("I", [0])
        for frame in frames:
            ends.append(ends[-1] + len(frame))
        runs.append(
            SentRun(
                fields[_NODEID],
                first_seq,
                len(frames),
                guarantee is Guarantee.SAFE,
                b"".join(frames),
                ends,
                memoryview(b""),
                array("I", bytes(4 * len(ends))),
            )
        )
    return runs
