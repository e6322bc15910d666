"""
Incoming totempg packets of all senders: packets in, messages out.

Packets come in runs, and a run's messages come out as one batch of places: nothing is done for a
message by itself, and one that was cut stays in pieces. So does the message in hand when packets
come alone. Other packets that come alone, and those of a run that are out of the ordinary, are
unpacked one by one: then a message that lies within one packet comes out as a view of it, and one
that was cut is joined once, when its end is here. Either way the packets are taken in order, and
what is in hand of a sender may go on in the other way.

A packet whose ``continuation`` is not the id that its sender's last one ended
with shows that something is missing, as for who joins while a stock node is in the middle of a
message. Then the message in hand is let go, and all is thrown away up to a packet that ends with a
whole message, that one included, though other items of these packets are whole: members of both
kinds must deliver the same.

Source: Corosync exec/totempg.c totempg_deliver_fn, assembly_ref, app_deliver_fn.
"""

from array import array
from struct import Struct
from typing import Final, NamedTuple

from corosync_tw.corotypes import PROCESSOR_COUNT_MAX, Buffer
from corosync_tw.kernels.unpacking import unpack_received, unpack_sent
from corosync_tw.totem.batch import MESSAGE_WORDS, PIECE_WORDS, MessageBatch, views
from corosync_tw.totem.messages import MCAST_LEN_BYTES
from corosync_tw.totem.pg_wire import (
    ASSEMBLY_LEN_BYTES_MAX,
    GROUPS_PER_MESSAGE_MAX,
    PACKET,
    PACKET_BIG,
    PACKET_LEN_BYTES,
    lengths_struct,
)
from corosync_tw.totem.runs import DeliveredFrame, ReceivedRun, Run

# Number of groups, length of the first name, and a name that is no longer than four bytes, as all
# in use are.
_PREFIX: Final = Struct("<HH4s")
_PREFIX_BIG: Final = Struct(">HH4s")
_NAME_AT: Final = 4
_SHORT_NAME_LEN_BYTES: Final = 4


class PgMessage(NamedTuple):
    """
    One application message in the total order.

    :ivar nodeid: sender.
    :ivar seq: sequence number of the frame that completed it; messages packed together share it.
    :ivar data: what follows the group names, in the sender's byte order.
    """

    nodeid: int
    seq: int
    group: bytes
    data: Buffer
    big_endian: bool


# Messages in their order: of one run, or of packets that were unpacked one by one.
PgMessages = MessageBatch | list[PgMessage]


class _Assembly:
    """
    A message of which the end is missing.

    :ivar fragment_id: the continuation that must follow.
    :ivar throwing_away: its beginning is unknown, and what follows is not delivered.
    :ivar damaged: a part of it is lost; nothing of it is delivered, but what follows it may be.
    :ivar len_bytes: of what is here.
    :ivar buffers: where that lies; ``pieces`` are places in it as a MessageBatch has them.
    """

    __slots__ = ("buffers", "damaged", "fragment_id", "len_bytes", "pieces", "throwing_away")

    def __init__(self, fragment_id: int) -> None:
        self.fragment_id = fragment_id
        self.throwing_away = False
        self.damaged = False
        self.buffers: list[Buffer] = []
        self.pieces = array("I")
        self.len_bytes = 0

    def clear(self) -> None:
        """Let go of what is here."""
        self.buffers, self.pieces, self.len_bytes = [], array("I"), 0

    def add(self, part: Buffer) -> None:
        """Append, but keep no empty part: the list is bounded by the bytes."""
        length = len(part)
        if length:
            self.pieces.extend((len(self.buffers), 0, length))
            self.buffers.append(part)
            self.len_bytes += length

    def goes_on_ordinarily(self) -> bool:
        """Tell whether a packet that follows the last one is to be delivered."""
        return self.fragment_id != 0 and not self.throwing_away and not self.damaged

    def joined(self) -> bytes:
        """Give what is here in one piece."""
        return b"".join(views(self.buffers, self.pieces))


class Assembler:
    """
    The incoming side of one stream.

    :ivar bad_packets: packets dropped because they are not what they claim to be.
    :ivar bad_messages: messages dropped because their group names cannot be read, or that are too
        long.
    :ivar incomplete_messages: messages of which we did not hear every part.
    """

    __slots__ = ("_assemblies", "bad_messages", "bad_packets", "incomplete_messages")

    def __init__(self) -> None:
        self._assemblies: dict[int, _Assembly] = {}
        self.bad_packets = 0
        self.bad_messages = 0
        self.incomplete_messages = 0

    def forget(self, nodeid: int) -> None:
        """Let go of the message in hand of a node that has left."""
        self._assemblies.pop(nodeid, None)

    def unpack_run(self, run: Run, out: list[PgMessages]) -> None:
        """Append the messages that a run completes."""
        nodeid = run.nodeid
        at = 0
        while at < run.count:
            assembly = self._assemblies.get(nodeid)
            if assembly is None:
                ordinary = len(self._assemblies) < PROCESSOR_COUNT_MAX
            else:
                ordinary = assembly.goes_on_ordinarily()
            if ordinary:
                at = self._unpack_ordinary(run, at, assembly or _Assembly(0), out)
                if at == run.count:
                    break
            messages: list[PgMessage] = []
            self.unpack(run.delivered(at), messages)
            if messages:
                out.append(messages)
            at += 1

    def unpack_frame(self, frame: DeliveredFrame, out: list[PgMessages]) -> None:
        """Append the messages that a frame completes."""
        hand = self._assemblies.get(frame.nodeid)
        if hand is not None and hand.goes_on_ordinarily() and not frame.big_endian:
            # A run of one leaves the message in hand in its pieces.
            done = self._unpack_ordinary(frame, 0, hand, out)
            if done:
                return
        if not out or isinstance(out[-1], MessageBatch):
            out.append([])
        messages = out[-1]
        assert not isinstance(messages, MessageBatch)
        self.unpack(frame, messages)

    def _unpack_ordinary(
        self, run: Run | DeliveredFrame, start: int, hand: _Assembly, out: list[PgMessages]
    ) -> int:
        """
        Unpack the packets of a run up to one that is out of the ordinary.

        :param hand: what is in hand of the sender.
        :returns: number of that packet, or the length of the run.
        """
        buffers, pieces, messages = hand.buffers, hand.pieces, array("I")
        state = (len(buffers), hand.fragment_id, hand.len_bytes, ASSEMBLY_LEN_BYTES_MAX)
        memory: Buffer
        if isinstance(run, ReceivedRun):
            memory = run.blob
            place = (run.stride, MCAST_LEN_BYTES, start, run.count, run.first_seq)
            done, fragment_id, len_bytes = unpack_received(memory, *place, *state, pieces, messages)
        elif isinstance(run, DeliveredFrame):
            memory = run.payload
            place = (len(memory) or 1, 0, start, 1, run.seq)
            done, fragment_id, len_bytes = unpack_received(memory, *place, *state, pieces, messages)
        else:
            memory = run.body
            done, fragment_id, len_bytes = unpack_sent(
                *(run.headers, run.header_ends, run.body, run.body_ends),
                *(MCAST_LEN_BYTES, start, run.count, run.first_seq),
                *state,
                pieces,
                messages,
            )
        if done == start:
            return done
        buffers.append(memory)
        if messages:
            out.append(MessageBatch(run.nodeid, buffers, pieces, messages))
        if not fragment_id:
            self._assemblies.pop(run.nodeid, None)
            return done
        if messages:
            # What is in hand now began in this very run.
            tail = pieces[PIECE_WORDS * (messages[-MESSAGE_WORDS] + messages[1 - MESSAGE_WORDS]) :]
            tail[::PIECE_WORDS] = array("I", bytes(len(tail) // PIECE_WORDS * tail.itemsize))
            hand = _Assembly(fragment_id)
            hand.buffers.append(memory)
            hand.pieces = tail
        hand.fragment_id, hand.len_bytes = fragment_id, len_bytes
        self._assemblies[run.nodeid] = hand
        return done

    def alone(self, batch: MessageBatch, i: int) -> list[PgMessage]:
        """Give one message of a batch, once for each group that it is for."""
        out: list[PgMessage] = []
        whole = batch.whole(i)
        self._emit(whole, 0, (len(whole),), batch.nodeid, batch.seq(i), False, out)
        return out

    def unpack(self, frame: DeliveredFrame, out: list[PgMessage]) -> None:
        """Append the messages that a frame completes."""
        nodeid, seq, payload, big_endian = frame
        size = len(payload)
        if size < PACKET_LEN_BYTES:
            self._drop_packet(nodeid)
            return
        _, _, fragmented, continuation, count = (PACKET_BIG if big_endian else PACKET).unpack_from(
            payload
        )
        at = PACKET_LEN_BYTES + 2 * count
        if at > size or (count == 0 and (fragmented or continuation)):
            self._drop_packet(nodeid)
            return
        lens = lengths_struct(count, big_endian).unpack_from(payload, PACKET_LEN_BYTES)
        if at + sum(lens) != size:
            self._drop_packet(nodeid)
            return
        view = memoryview(payload)
        if continuation or nodeid in self._assemblies:
            if not self._goes_on(nodeid, fragmented, continuation):
                return
            part = view[at : at + lens[0]] if continuation else view[:0]
            whole = self._continue(nodeid, part, fragmented if count == 1 else 0)
            if whole is not None:
                self._emit(memoryview(whole), 0, (len(whole),), nodeid, seq, big_endian, out)
            if continuation:
                at += lens[0]
                lens = lens[1:]
                if not lens:
                    return
        if fragmented:
            self._begin(nodeid, fragmented, view[size - lens[-1] :])
            lens = lens[:-1]
        if lens:
            self._emit(view, at, lens, nodeid, seq, big_endian, out)

    def _drop_packet(self, nodeid: int) -> None:
        self.bad_packets += 1
        self._assemblies.pop(nodeid, None)

    def _begin(self, nodeid: int, fragment_id: int, part: Buffer) -> None:
        if len(self._assemblies) >= PROCESSOR_COUNT_MAX:
            self.bad_messages += 1
            return
        assembly = self._assemblies[nodeid] = _Assembly(fragment_id)
        assembly.add(part)

    def _goes_on(self, nodeid: int, fragmented: int, continuation: int) -> bool:
        """Tell whether a packet follows what we have of its sender; if not, it is thrown away."""
        assembly = self._assemblies.get(nodeid)
        known = 0 if assembly is None else assembly.fragment_id
        thrown = assembly is not None and assembly.throwing_away
        if not thrown and continuation == known:
            return True
        if not thrown:
            self.incomplete_messages += 1
        if not fragmented:
            self._assemblies.pop(nodeid, None)
            return False
        if assembly is None:
            self._begin(nodeid, known, b"")
            assembly = self._assemblies.get(nodeid)
        if assembly is not None:
            assembly.clear()
            assembly.damaged = True
            # Stock takes the first fragment id for the beginning of a sequence.
            assembly.throwing_away = not (thrown and fragmented == 1)
        return False

    def _continue(self, nodeid: int, part: Buffer, more: int) -> bytes | None:
        """
        Add to the message in hand.

        :param more: id under which the message goes on in the next packet; 0 when it ends here.
        :returns: the whole message, if it is complete now.
        """
        assembly = self._assemblies.pop(nodeid)
        if not assembly.fragment_id:
            return None
        assembly.add(part)
        if assembly.len_bytes > ASSEMBLY_LEN_BYTES_MAX:
            self.bad_messages += 1
            return None
        if more:
            assembly.fragment_id = more
            self._assemblies[nodeid] = assembly
            return None
        return None if assembly.damaged else assembly.joined()

    def _emit(  # noqa: PLR0917 - once a frame; names cost time here
        self,
        view: memoryview,
        at: int,
        lens: tuple[int, ...],
        nodeid: int,
        seq: int,
        big_endian: bool,
        out: list[PgMessage],
    ) -> None:
        """Append the whole messages that lie one after the other in a buffer."""
        unpack_from = (_PREFIX_BIG if big_endian else _PREFIX).unpack_from
        append = out.append
        for len_bytes in lens:
            end = at + len_bytes
            if len_bytes >= _PREFIX.size:
                groups, name_len, name = unpack_from(view, at)
                if groups == 1 and name_len <= _SHORT_NAME_LEN_BYTES:
                    data = view[at + _NAME_AT + name_len : end]
                    append(PgMessage(nodeid, seq, name[:name_len], data, big_endian))
                    at = end
                    continue
            self._emit_any(view[at:end], nodeid, seq, big_endian, out)
            at = end

    def _emit_any(
        self, view: memoryview, nodeid: int, seq: int, big_endian: bool, out: list[PgMessage]
    ) -> None:
        """Append one message of any form, once for each group that it is for."""
        groups = int.from_bytes(view[:2], "big" if big_endian else "little")
        at = 2 + 2 * groups
        if not 1 <= groups <= GROUPS_PER_MESSAGE_MAX or at > len(view):
            self.bad_messages += 1
            return
        name_lens = lengths_struct(groups, big_endian).unpack_from(view, 2)
        data_at = at + sum(name_lens)
        if data_at > len(view):
            self.bad_messages += 1
            return
        names = []
        for name_len in name_lens:
            names.append(bytes(view[at : at + name_len]))
            at += name_len
        data = view[data_at:]
        out.extend(PgMessage(nodeid, seq, name, data, big_endian) for name in dict.fromkeys(names))
