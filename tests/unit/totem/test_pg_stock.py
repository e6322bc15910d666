"""Stock members of a ring deliver what we send."""

from hypothesis import given
from hypothesis import strategies as st

from corosync_tw.corotypes import Guarantee
from corosync_tw.totem.pg_pack import Packer
from corosync_tw.totem.pg_wire import group_prefix
from tests.unit.totem import capture
from tests.unit.totem.pg_twin import HEADER, joined
from tests.unit.totem.stock_receiver import StockReceiver
from tests.unit.totem.test_golden_frames import mcasts

A = group_prefix(b"a")
messages_ = st.lists(
    st.tuples(st.binary(min_size=1, max_size=4), st.integers(0, 120)).map(
        lambda pair: A + pair[0] * pair[1]
    ),
    max_size=25,
)


def packer_of(messages: list[bytes], capacity: int) -> Packer:
    packer = Packer(capacity, sum(map(len, messages)) + 1)
    for message in messages:
        packer.put((message,), len(message), Guarantee.AGREED)
    return packer


def heard(packets: list[bytes], *receivers: StockReceiver) -> None:
    for packet in packets:
        for receiver in receivers:
            receiver.deliver(packet)


def test_the_model_delivers_what_stock_sent():
    assert capture.frames()
    receivers: dict[int, StockReceiver] = {}
    for mcast in mcasts():
        receiver = receivers.setdefault(mcast.system_from, StockReceiver())
        receiver.deliver(bytes(mcast.payload))
    assert sum(len(receiver.messages) for receiver in receivers.values()) == 70


@given(messages_, st.integers(4, 150), st.lists(st.integers(1, 4), max_size=10))
def test_stock_delivers_all_that_we_pack(messages, capacity, visits):
    packer = packer_of(messages, capacity)
    stock = StockReceiver()
    for frames_max in [*visits, 10**6]:
        heard(joined(packer.take(frames_max, HEADER)), stock)
    assert stock.messages == messages


@given(messages_, st.integers(4, 150), st.integers(0, 12))
def test_stock_delivers_a_message_that_starts_again(messages, capacity, before):
    packer = packer_of(messages, capacity)
    member, joiner = StockReceiver(), StockReceiver()
    heard(joined(packer.take(before, HEADER)), member)
    already = len(member.messages)
    packer.restart()
    heard(joined(packer.take(10**6, HEADER)), member, joiner)
    assert member.messages == messages
    assert joiner.messages == messages[already:], "those who join deliver what the others do"
