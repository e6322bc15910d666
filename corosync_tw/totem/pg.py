"""
Totempg: packing, fragmentation and reassembly of application messages, between the ring and the
services.

There are two streams in each direction. The ordinary one carries the applications' messages. While
a new ring is being synchronised only the transitional one moves: it carries what the services tell
each other, so that this is ordered before anything that applications had waiting. A node switches
when its own synchronisation is done, which is at the same message of the total order everywhere.

Messages are for one process group each: ``a`` for Corosync's services, ``sync`` for the
synchronisation barrier.

Called by services.stack; the ring takes packets from it as its MessageSource.

Source: Corosync exec/totempg.c.
"""

from array import array
from collections.abc import Iterable, Iterator

from corosync_tw.corotypes import ConfChangeType, Guarantee, Slices
from corosync_tw.errors import CsTooBig, CsTryAgain
from corosync_tw.totem.batch import MessageBatch
from corosync_tw.totem.effects import ConfigurationChange, Deliver
from corosync_tw.totem.pg_assembly import Assembler, PgMessage, PgMessages
from corosync_tw.totem.pg_pack import QUEUE_LEN_BYTES_MAX, QUEUE_MESSAGES_MAX, Packer
from corosync_tw.totem.pg_wire import MESSAGE_LEN_BYTES_MAX, group_prefix, packet_capacity
from corosync_tw.totem.runs import DeliveredFrame, Run, SentRun

__all__ = [
    "MESSAGE_LEN_BYTES_MAX",
    "QUEUE_LEN_BYTES_MAX",
    "QUEUE_MESSAGES_MAX",
    "PgMessage",
    "Totempg",
]


class Totempg:
    """
    The packing layer of one node.

    It starts, like the ring, waiting for a first synchronisation: only the transitional stream
    moves.
    """

    def __init__(self, frame_len_bytes_max: int) -> None:
        """
        :param frame_len_bytes_max: longest datagram, Totem header included.
        :raises ValueError: frames too short to carry a packet, or too long.
        """
        capacity = packet_capacity(frame_len_bytes_max)
        self._ordinary_out = Packer(capacity)
        # What services tell each other is little: memory for one of the longest messages will do.
        self._trans_out = Packer(capacity, slab_len_bytes=MESSAGE_LEN_BYTES_MAX)
        self._ordinary_in = Assembler()
        self._trans_in = Assembler()
        self._sending_trans = True
        self._receiving_trans = True
        self._prefixes: dict[bytes, bytes] = {}
        self._left: set[int] = set()  # since the last regular change

    def mcast(
        self,
        group: bytes,
        slices: Slices,
        guarantee: Guarantee = Guarantee.AGREED,
        *,
        trans: bool = False,
        bulk: bool = False,
    ) -> None:
        """
        Let a message wait for the token. It is copied.

        :param slices: the message in pieces.
        :param trans: belongs to the synchronisation of the present ring.
        :param bulk: one of many, for which the queue is full earlier: others find room beside them.
        :raises CsTryAgain: the queue is full.
        :raises CsTooBig: longer than MESSAGE_LEN_BYTES_MAX, group name included.
        """
        prefix = self._prefixes.get(group)
        if prefix is None:
            prefix = self._prefixes[group] = group_prefix(group)
        len_bytes = len(prefix) + sum(map(len, slices))
        if len_bytes > MESSAGE_LEN_BYTES_MAX:
            raise CsTooBig(f"message of {len_bytes} bytes")
        stream = self._trans_out if trans else self._ordinary_out
        if not stream.put((prefix, *slices), len_bytes, guarantee, bulk=bulk):
            raise CsTryAgain("message queue is full")

    @property
    def queue_level(self) -> float:
        """Share of the applications' queue that is used, 0.0 to 1.0."""
        return self._ordinary_out.level()

    @property
    def waiting_msgs(self) -> int:
        """Count the applications' messages that are not completely given up."""
        return len(self._ordinary_out)

    @property
    def bad_packets(self) -> int:
        """Count the packets that were not what they claimed to be."""
        return self._ordinary_in.bad_packets + self._trans_in.bad_packets

    @property
    def bad_messages(self) -> int:
        """Count the messages without readable group names, and those that grew too long."""
        return self._ordinary_in.bad_messages + self._trans_in.bad_messages

    @property
    def incomplete_messages(self) -> int:
        """Count the messages of which a part was not heard, for instance before we joined."""
        return self._ordinary_in.incomplete_messages + self._trans_in.incomplete_messages

    def bulk_room(self) -> tuple[int, int]:
        """
        Say what applications may add now.

        :returns: bytes, of which each message takes ITEM_LEN_LEN_BYTES more than its length, group
            prefix included; and messages.
        """
        return self._ordinary_out.bulk_room()

    def reserve(self, len_bytes_min: int, len_bytes_max: int) -> memoryview:
        """
        Give memory for messages of applications, group prefix included, that ``commit`` lets wait.

        The caller looks after ``bulk_room``. The memory is valid until the next message is queued
        or memory is asked for; not all of it need be used, none of it if there is no commit.

        :param len_bytes_min: at most MESSAGE_LEN_BYTES_MAX.
        :returns: at least ``len_bytes_min`` and at most ``len_bytes_max`` bytes.
        """
        return self._ordinary_out.reserve(len_bytes_min, len_bytes_max)

    def commit(self, lens: "array[int]", guarantee: Guarantee = Guarantee.AGREED) -> None:
        """
        Let messages wait that were laid end to end into the reserved memory.

        :param lens: of the messages, none above MESSAGE_LEN_BYTES_MAX.
        """
        self._ordinary_out.commit(lens, guarantee)

    def backlog_frames(self) -> int:
        """Count the packets that would be sent now if flow control allowed all."""
        return (self._trans_out if self._sending_trans else self._ordinary_out).backlog_frames()

    def take(self, frames_max: int, header: bytes) -> list[SentRun]:
        """
        Pack and give up at most so many packets of the stream that moves, oldest message first.

        A packet with any part of a SAFE message is SAFE.

        :param header: mcast header of the first one, AGREED; the others' numbers follow.
        """
        stream = self._trans_out if self._sending_trans else self._ordinary_out
        return stream.take(frames_max, header)

    def hold_ordinary(self) -> None:
        """
        Give up only transitional packets until trans_ack: the ring has become another.

        What waits in the transitional stream is of the former ring's synchronisation: forgotten.
        """
        self._sending_trans = True
        self._trans_out.clear()

    def deliver(self, effect: Deliver) -> Iterable[PgMessages]:
        """
        Unpack ordered frames.

        Deal with what is given before asking for more: the message that ends the synchronisation
        leads to trans_ack, and what follows its packet belongs to the other stream.
        """
        if self._receiving_trans:
            return self._deliver_stepwise(effect)
        out: list[PgMessages] = []
        for frame in effect.frames:
            self._unpack_ordinary(frame, out)
        return out

    def alone(self, batch: MessageBatch, i: int) -> list[PgMessage]:
        """Give one message of a batch, once for each group that it is for."""
        return self._ordinary_in.alone(batch, i)

    def _unpack_ordinary(self, frame: DeliveredFrame | Run, out: list[PgMessages]) -> None:
        if isinstance(frame, DeliveredFrame):
            self._ordinary_in.unpack_frame(frame, out)
        else:
            self._ordinary_in.unpack_run(frame, out)

    def _deliver_stepwise(self, effect: Deliver) -> Iterator[PgMessages]:
        """Unpack one by one, until the ordinary stream moves."""
        for frame in effect.frames:
            if isinstance(frame, DeliveredFrame):
                yield self._unpack_alone(frame)
                continue
            at = 0
            while at < frame.count and self._receiving_trans:
                yield self._unpack_alone(frame.delivered(at))
                at += 1
            if at < frame.count:
                out: list[PgMessages] = []
                self._ordinary_in.unpack_run(frame.part(at, frame.count), out)
                yield from out

    def _unpack_alone(self, frame: DeliveredFrame) -> list[PgMessage]:
        messages: list[PgMessage] = []
        (self._trans_in if self._receiving_trans else self._ordinary_in).unpack(frame, messages)
        return messages

    def configuration_change(
        self, change: ConfigurationChange, *, stock_peers: bool = False
    ) -> None:
        """
        Follow the ring to another configuration. To be called before the services hear of the
        change.

        Parts of messages of nodes that left are dropped when the old ring's messages are all
        delivered. A regular change begins a synchronisation, so what is left of an earlier one is
        forgotten.

        :param stock_peers: the old ring has members that drop them at the transitional change
            already, and all who stay must deliver the same.

        Deviation: when nodes joined, a message that is partly sent is sent again from its
        beginning, preceded by an empty packet that makes the others let go of their part. Stock
        goes on in the middle: then those who joined never deliver a message that the others deliver
        in the very same configuration.

        Deviation: stock drops parts at the transitional change, and so loses a message of which the
        end is delivered in the transitional configuration, though it delivers the sender's next.
        """
        self._left.update(change.left)
        if change.kind is ConfChangeType.REGULAR or stock_peers:
            for nodeid in self._left:
                self._ordinary_in.forget(nodeid)
                self._trans_in.forget(nodeid)
            self._left.clear()
        self._sending_trans = True
        if change.kind is ConfChangeType.REGULAR:
            self._receiving_trans = True
            self._trans_out.clear()
            if change.joined:
                self._ordinary_out.restart()

    def trans_ack(self) -> None:
        """Let the ordinary streams move: the ring is synchronised."""
        self._sending_trans = False
        self._receiving_trans = False
