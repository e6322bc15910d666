"""Totempg as a whole: two streams each way, and how a configuration change moves between them."""

import pytest

from corosync_tw.corotypes import ConfChangeType, Guarantee, RingId
from corosync_tw.errors import CsTooBig, CsTryAgain
from corosync_tw.totem.effects import ConfigurationChange, Deliver, MessageSource
from corosync_tw.totem.pg import MESSAGE_LEN_BYTES_MAX, Totempg
from tests.unit.totem.pg_twin import HEADER, delivered, joined, singles

FRAME_LEN_BYTES = 1472
OLD, NEW = RingId(1, 4), RingId(1, 8)


def synchronised() -> Totempg:
    pg = Totempg(FRAME_LEN_BYTES)
    pg.trans_ack()
    return pg


def regular(*, joined=(), members=(1, 2)) -> ConfigurationChange:
    return ConfigurationChange(ConfChangeType.REGULAR, members, (), joined, NEW, OLD)


def transitional(*, left=(), members=(1, 2)) -> ConfigurationChange:
    return ConfigurationChange(ConfChangeType.TRANSITIONAL, members, left, (), NEW, OLD)


def carry(source: Totempg, *receivers: Totempg, nodeid: int = 1, frames_max: int = 10**6):
    """Send what waits and give each receiver's messages."""
    packets = joined(source.take(frames_max, HEADER))
    return [
        [(m.group, bytes(m.data)) for m in singles(pg, Deliver(OLD, delivered(packets, nodeid)))]
        for pg in receivers
    ]


def test_it_is_a_message_source():
    source: MessageSource = Totempg(FRAME_LEN_BYTES)
    assert source.backlog_frames() == 0
    assert source.take(5, HEADER) == []


def test_slices_and_groups_arrive():
    sender, receiver = synchronised(), synchronised()
    sender.mcast(b"a", (b"one ", memoryview(b"message"), b""))
    sender.mcast(b"sync", ())
    sender.mcast(b"a", (b"last",), Guarantee.SAFE)
    assert carry(sender, receiver) == [[(b"a", b"one message"), (b"sync", b""), (b"a", b"last")]]


@pytest.mark.parametrize("frame_len_bytes", [200, 1472, 9000, 65536])
def test_a_message_of_a_mebibyte(frame_len_bytes):
    sender, receiver = Totempg(frame_len_bytes), synchronised()
    sender.trans_ack()
    message = bytes(range(256)) * 4096
    sender.mcast(b"a", (b"header", message))
    assert carry(sender, receiver) == [[(b"a", b"header" + message)]]
    assert receiver.bad_packets == receiver.bad_messages == receiver.incomplete_messages == 0


def test_too_big_is_refused_at_once():
    pg = synchronised()
    pg.mcast(b"a", (bytes(MESSAGE_LEN_BYTES_MAX - 5),))
    with pytest.raises(CsTooBig):
        pg.mcast(b"a", (bytes(MESSAGE_LEN_BYTES_MAX - 4),))


def test_a_full_queue_says_try_again_and_the_level_tells():
    pg = synchronised()
    assert pg.queue_level == 0.0
    for _ in range(41):
        pg.mcast(b"a", (bytes(100_000),))
    with pytest.raises(CsTryAgain):
        pg.mcast(b"a", (bytes(100_000),))
    assert 0.95 < pg.queue_level <= 1.0
    waiting = pg.backlog_frames()
    pg.mcast(b"sync", (b"always room for the other stream",), trans=True)
    assert pg.backlog_frames() == waiting
    pg.take(waiting // 2, HEADER)
    assert pg.queue_level < 0.6
    pg.mcast(b"a", (bytes(100_000),))


def test_before_the_first_synchronisation_only_it_moves():
    pg = Totempg(FRAME_LEN_BYTES)
    pg.mcast(b"a", (b"application",))
    assert pg.backlog_frames() == 0
    assert pg.take(5, HEADER) == []
    pg.mcast(b"sync", (b"barrier",), trans=True)
    assert pg.backlog_frames() == 1
    assert len(pg.take(5, HEADER)) == 1
    pg.trans_ack()
    assert pg.backlog_frames() == 1
    assert len(pg.take(5, HEADER)) == 1


@pytest.mark.parametrize("how", ["ring", "transitional", "regular"])
def test_a_new_ring_holds_the_applications(how):
    pg = synchronised()
    pg.mcast(b"a", (b"application",))
    if how == "ring":
        pg.hold_ordinary()
    else:
        pg.configuration_change(transitional() if how == "transitional" else regular())
    assert pg.take(5, HEADER) == []
    pg.trans_ack()
    assert len(pg.take(5, HEADER)) == 1


@pytest.mark.parametrize("how", ["ring", "regular"])
def test_what_is_left_of_a_former_synchronisation_is_forgotten(how):
    pg = Totempg(FRAME_LEN_BYTES)
    pg.mcast(b"sync", (b"of the old ring",), trans=True)
    if how == "ring":
        pg.hold_ordinary()
    else:
        pg.configuration_change(regular())
    assert pg.take(5, HEADER) == []
    pg.mcast(b"sync", (b"of the new",), trans=True)
    receiver = Totempg(FRAME_LEN_BYTES)
    assert carry(pg, receiver) == [[(b"sync", b"of the new")]]


def test_a_cut_message_goes_on_after_the_change_when_nobody_joined():
    sender, receiver = synchronised(), synchronised()
    message = bytes(range(250)) * 20
    sender.mcast(b"a", (message,))
    assert carry(sender, receiver, frames_max=2) == [[]]
    for pg in (sender, receiver):
        pg.configuration_change(transitional(left=(3,)))
        pg.configuration_change(regular())
    sender.mcast(b"sync", (b"barrier",), trans=True)
    assert carry(sender, receiver) == [[(b"sync", b"barrier")]]
    for pg in (sender, receiver):
        pg.trans_ack()
    assert carry(sender, receiver) == [[(b"a", message)]]


def test_a_cut_message_starts_again_when_somebody_joined():
    sender, receiver, joiner = synchronised(), synchronised(), synchronised()
    message = bytes(range(250)) * 20
    sender.mcast(b"a", (message,))
    assert carry(sender, receiver, frames_max=2) == [[]]
    for pg in (sender, receiver):
        pg.configuration_change(transitional())
        pg.configuration_change(regular(joined=(3,)))
        pg.trans_ack()
    assert carry(sender, receiver, joiner) == [[(b"a", message)]] * 2
    assert receiver.incomplete_messages == 1
    assert joiner.incomplete_messages == 0


def test_the_parts_of_those_who_left_are_dropped_in_both_streams():
    sender, receiver = synchronised(), synchronised()
    sender.mcast(b"a", (bytes(5000),))
    assert carry(sender, receiver, frames_max=1) == [[]]
    receiver.configuration_change(transitional(left=(1,)))
    receiver.configuration_change(regular())
    assert carry(sender, receiver) == [[]]


def test_the_end_of_a_leavers_message_in_the_transitional_configuration_completes_it():
    sender, receiver = synchronised(), synchronised()
    sender.mcast(b"a", (bytes(5000),))
    assert carry(sender, receiver, frames_max=1) == [[]]
    receiver.configuration_change(transitional(left=(1,)))
    assert carry(sender, receiver) == [[(b"a", bytes(5000))]]


def test_with_stock_peers_a_leavers_part_is_dropped_as_early_as_they_do():
    sender, receiver = synchronised(), synchronised()
    sender.mcast(b"a", (bytes(5000),))
    assert carry(sender, receiver, frames_max=1) == [[]]
    receiver.configuration_change(transitional(left=(1,)), stock_peers=True)
    assert carry(sender, receiver) == [[]]


def test_messages_delivered_between_the_changes_complete_cut_ones():
    sender, receiver = synchronised(), synchronised()
    sender.mcast(b"a", (bytes(5000),))
    packets = joined(sender.take(10, HEADER))
    assert list(singles(receiver, Deliver(OLD, delivered(packets[:1])))) == []
    receiver.configuration_change(transitional(left=(3,)))
    (message,) = singles(receiver, Deliver(OLD, delivered(packets[1:])))
    assert message.data == bytes(5000)


def test_the_end_of_the_synchronisation_in_the_middle_of_a_batch():
    sender, receiver = synchronised(), synchronised()
    message = bytes(range(250)) * 20
    sender.mcast(b"a", (message,))
    first = joined(sender.take(2, HEADER))
    assert list(singles(receiver, Deliver(OLD, delivered(first)))) == []
    for pg in (sender, receiver):
        pg.configuration_change(regular())
    sender.mcast(b"sync", (b"barrier",), trans=True)
    batch = joined(sender.take(10, HEADER))
    sender.trans_ack()
    batch += joined(sender.take(10, HEADER))
    got = []
    for delivered_message in singles(receiver, Deliver(NEW, delivered(batch))):
        got.append(bytes(delivered_message.data))
        if delivered_message.data == b"barrier":
            receiver.trans_ack()
    assert got == [b"barrier", message]


def test_bad_input_is_counted():
    for pg in (Totempg(FRAME_LEN_BYTES), synchronised()):
        assert list(singles(pg, Deliver(OLD, delivered([b"short"])))) == []
        assert list(singles(pg, Deliver(OLD, delivered([b"\0" * 6 + b"\1\0\1\0x"])))) == []
        cut = b"\0\0\0\0\0\5\1\0\1\0x"
        assert list(singles(pg, Deliver(OLD, delivered([cut])))) == []
        assert (pg.bad_packets, pg.bad_messages, pg.incomplete_messages) == (1, 1, 1)
