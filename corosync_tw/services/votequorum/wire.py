"""
Executive messages of the votequorum service.

Source: Corosync exec/votequorum.c, struct req_exec_quorum_nodeinfo, req_exec_quorum_reconfigure,
req_exec_quorum_qdevice_reg, req_exec_quorum_qdevice_reconfigure.
"""

from enum import IntEnum, IntFlag
from typing import Final, NamedTuple

from corosync_tw.corotypes import Buffer
from corosync_tw.errors import MalformedFrame
from corosync_tw.services.exec_wire import ServiceId, both_orders, exec_id, need

QDEVICE_NODEID: Final = 0
QDEVICE_NAME_LEN: Final = 255


class VotequorumFunction(IntEnum):
    """Function numbers of the service; 4 came after 3.1.10."""

    NODEINFO = 0
    RECONFIGURE = 1
    QDEVICE_REG = 2
    QDEVICE_RECONFIGURE = 3
    QDEVICE_EXTRA_INFO = 4


class QdeviceOperation(IntEnum):
    """What a QDEVICE_REG is about."""

    UNREGISTER = 0
    REGISTER = 1


class NodeFlags(IntFlag):
    """What a node says of itself in NODEINFO."""

    NONE = 0
    QUORATE = 1
    LEAVING = 2
    WFASTATUS = 4
    FIRST = 8
    QDEVICE_REGISTERED = 16
    QDEVICE_ALIVE = 32
    QDEVICE_CAST_VOTE = 64
    QDEVICE_MASTER_WINS = 128


class ReconfigureParam(IntEnum):
    """What a RECONFIGURE changes."""

    EXPECTED_VOTES = 1
    NODE_VOTES = 2
    CANCEL_WFA = 3


NODEINFO_ID: Final = exec_id(ServiceId.VOTEQUORUM, VotequorumFunction.NODEINFO)
RECONFIGURE_ID: Final = exec_id(ServiceId.VOTEQUORUM, VotequorumFunction.RECONFIGURE)
QDEVICE_REG_ID: Final = exec_id(ServiceId.VOTEQUORUM, VotequorumFunction.QDEVICE_REG)
QDEVICE_RECONFIGURE_ID: Final = exec_id(
    ServiceId.VOTEQUORUM, VotequorumFunction.QDEVICE_RECONFIGURE
)

# header, nodeid@16, votes@20, expected_votes@24, flags@28, all u32, 32 bytes
NODEINFO: Final = both_orders("I4xI4xIIII")
NODEINFO_LEN: Final = 32
# header, nodeid@16 u32, value@20 u32, param@24 u8, 7 bytes of padding, 32 bytes
RECONFIGURE: Final = both_orders("I4xI4xIIB7x")
RECONFIGURE_LEN: Final = 32
# header, operation@16 u32, name@20 char[255], padding to 280
QDEVICE_REG: Final = both_orders("I4xI4xI255s5x")
QDEVICE_REG_LEN: Final = 280
# header, old name@16 char[255], new name@271 char[255], padding to 528
QDEVICE_RECONFIGURE: Final = both_orders("I4xI4x255s255s2x")
QDEVICE_RECONFIGURE_LEN: Final = 528


class NodeInfo(NamedTuple):
    """A node's votes and state; nodeid 0 is the quorum device as the sender sees it."""

    nodeid: int
    votes: int
    expected_votes: int
    flags: int


class Reconfigure(NamedTuple):
    """An administrator changed votes, expected votes, or cancelled wait_for_all."""

    nodeid: int
    value: int
    param: int


class QdeviceReg(NamedTuple):
    """A quorum device registered (operation 1) or went (operation 0) at the sender."""

    operation: int
    name: bytes


class QdeviceReconfigure(NamedTuple):
    """The quorum device is renamed."""

    old_name: bytes
    new_name: bytes


def encode_nodeinfo(info: NodeInfo) -> bytes:
    """Encode a NODEINFO."""
    return NODEINFO.little.pack(NODEINFO_ID, NODEINFO_LEN, *info)


def decode_nodeinfo(data: Buffer, big_endian: bool) -> NodeInfo:
    """Decode a NODEINFO; raises MalformedFrame."""
    need(data, NODEINFO_LEN, "votequorum nodeinfo")
    return NodeInfo(*NODEINFO.of(big_endian).unpack_from(data)[2:])


def encode_reconfigure(change: Reconfigure) -> bytes:
    """Encode a RECONFIGURE."""
    return RECONFIGURE.little.pack(RECONFIGURE_ID, RECONFIGURE_LEN, *change)


def decode_reconfigure(data: Buffer, big_endian: bool) -> Reconfigure:
    """Decode a RECONFIGURE; raises MalformedFrame."""
    need(data, RECONFIGURE_LEN, "votequorum reconfigure")
    return Reconfigure(*RECONFIGURE.of(big_endian).unpack_from(data)[2:])


def encode_qdevice_reg(message: QdeviceReg) -> bytes:
    """Encode a QDEVICE_REG; the name is shorter than QDEVICE_NAME_LEN."""
    return QDEVICE_REG.little.pack(QDEVICE_REG_ID, QDEVICE_REG_LEN, *message)


def decode_qdevice_reg(data: Buffer, big_endian: bool) -> QdeviceReg:
    """Decode a QDEVICE_REG; raises MalformedFrame."""
    need(data, QDEVICE_REG_LEN - 5, "votequorum qdevice registration")
    padded = bytes(data[:QDEVICE_REG_LEN]).ljust(QDEVICE_REG_LEN, b"\0")
    _, _, operation, name = QDEVICE_REG.of(big_endian).unpack(padded)
    return QdeviceReg(operation, _decode_name(name))


def encode_qdevice_reconfigure(message: QdeviceReconfigure) -> bytes:
    """Encode a QDEVICE_RECONFIGURE; the names are shorter than QDEVICE_NAME_LEN."""
    return QDEVICE_RECONFIGURE.little.pack(
        QDEVICE_RECONFIGURE_ID, QDEVICE_RECONFIGURE_LEN, *message
    )


def decode_qdevice_reconfigure(data: Buffer, big_endian: bool) -> QdeviceReconfigure:
    """Decode a QDEVICE_RECONFIGURE; raises MalformedFrame."""
    need(data, QDEVICE_RECONFIGURE_LEN - 2, "votequorum qdevice renaming")
    padded = bytes(data[:QDEVICE_RECONFIGURE_LEN]).ljust(QDEVICE_RECONFIGURE_LEN, b"\0")
    _, _, old_name, new_name = QDEVICE_RECONFIGURE.of(big_endian).unpack(padded)
    return QdeviceReconfigure(_decode_name(old_name), _decode_name(new_name))


def _decode_name(field: bytes) -> bytes:
    name, end, _ = field.partition(b"\0")
    if not end:
        raise MalformedFrame("name of a quorum device without an end")
    return name
