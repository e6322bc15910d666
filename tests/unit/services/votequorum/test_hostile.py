"""Messages that no sound node sends: a node stays able to speak, and refuses what has no form."""

import random

from corosync_tw.errors import MalformedFrame
from corosync_tw.services.votequorum.wire import (
    NodeInfo,
    QdeviceReconfigure,
    QdeviceReg,
    Reconfigure,
    encode_nodeinfo,
    encode_qdevice_reconfigure,
    encode_qdevice_reg,
    encode_reconfigure,
)
from tests.unit.services.ordered_bus import Node, OrderedBus

U32_MAX = 0xFFFFFFFF
NUMBERS = (0, 1, 2, 3, 255, 256, 0x7FFFFFFF, 0x80000000, U32_MAX)


def draw_message(rng):
    """A function number and a message, mostly well formed."""
    number = rng.choice
    name = rng.choice((b"", b"net", b"n" * 254, rng.randbytes(40).replace(b"\0", b"x")))
    function = rng.randrange(4)
    message = (
        lambda: encode_nodeinfo(NodeInfo(number((0, 1, 2, 3)), *(number(NUMBERS) for _ in "123"))),
        lambda: encode_reconfigure(
            Reconfigure(number(NUMBERS), number(NUMBERS), rng.randrange(256))
        ),
        lambda: encode_qdevice_reg(QdeviceReg(number((0, 1, 1, 7)), name)),
        lambda: encode_qdevice_reconfigure(QdeviceReconfigure(b"net", name)),
    )[function]()
    if rng.random() < 0.1:
        message = message[: rng.randrange(len(message))]
    if rng.random() < 0.1:
        message = message[:16] + rng.randbytes(len(message) - 16) if len(message) > 16 else message
    return function, message


def test_random_messages_leave_nodes_able_to_speak():
    for seed in range(60):
        rng = random.Random(seed)
        options = {
            "expected_votes": 3,
            "wait_for_all": rng.random() < 0.5,
            "last_man_standing": rng.random() < 0.5,
            "expected_votes_tracking": rng.random() < 0.5,
        }
        bus = OrderedBus(*(Node(n, **options) for n in (1, 2, 3)))
        bus.form((1, 2, 3))
        engines = [node.votequorum for node in bus.nodes.values()]
        for _ in range(40):
            function, message = draw_message(rng)
            for engine in engines:
                handler = engine.exec_handlers()[function]
                try:
                    handler(rng.choice((1, 2, 3, 9)), 1, message, rng.random() < 0.1)
                except MalformedFrame:
                    continue
        bus.form((1, 2), (3,))
        for node in bus.nodes.values():
            node.bus.now_ns = 1 << 62
            node.votequorum.advance(node.bus.now_ns)
        bus.form((1, 2, 3))
        for engine in engines:
            assert engine.us.expected_votes <= U32_MAX
            assert len(engine.qdevice_name) < 255
            assert engine.next_deadline() is None
