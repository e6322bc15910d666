"""
Executive messages of the cfg service.

Source: Corosync exec/cfg.c, struct req_exec_cfg_ringreenable, req_exec_cfg_killnode,
req_exec_cfg_shutdown, req_exec_cfg_reload_config, req_exec_cfg_crypto_reconfig.
"""

from enum import IntEnum
from typing import Final, NamedTuple

from corosync_tw.corotypes import Buffer
from corosync_tw.services.exec_wire import (
    HEADER,
    HEADER_LEN,
    NAME,
    ServiceId,
    both_orders,
    decode_name,
    exec_id,
    need,
)


class CfgFunction(IntEnum):
    """Function numbers of the service."""

    RINGREENABLE = 0
    KILLNODE = 1
    SHUTDOWN = 2
    RELOAD_CONFIG = 3
    CRYPTO_RECONFIG = 4


RING_REENABLE_ID: Final = exec_id(ServiceId.CFG, CfgFunction.RINGREENABLE)


class CryptoPhase(IntEnum):
    """How far a member is with a change of keys (totem.h, cfg_message_crypto_reconfig_phase_t)."""

    ACTIVATE = 1
    CLEANUP = 2


KILLNODE_ID: Final = exec_id(ServiceId.CFG, CfgFunction.KILLNODE)
SHUTDOWN_ID: Final = exec_id(ServiceId.CFG, CfgFunction.SHUTDOWN)
RELOAD_ID: Final = exec_id(ServiceId.CFG, CfgFunction.RELOAD_CONFIG)
CRYPTO_RECONFIG_ID: Final = exec_id(ServiceId.CFG, CfgFunction.CRYPTO_RECONFIG)

# header, nodeid@16 u32, reason@24 mar_name_t, 288 bytes
_KILLNODE: Final = both_orders("I4xI4xI4x")
KILLNODE_LEN: Final = 288
_KILLNODE_REASON_OFFSET: Final = 24
# header, source@16 (nodeid u32, conn@24 u64), 32 bytes; a wish to re-enable rings is the same
_RELOAD: Final = both_orders("I4xI4xI4xQ")
RELOAD_LEN: Final = 32
# header, phase@16 u32, 24 bytes
CRYPTO_RECONFIG: Final = both_orders("I4xI4xI4x")
CRYPTO_RECONFIG_LEN: Final = 24

assert _RELOAD.little.size == RELOAD_LEN


class KillNode(NamedTuple):
    """An administrator wants the node to die."""

    nodeid: int
    reason: bytes


class RingReenable(NamedTuple):
    """
    Everybody shall use all of its networks again.

    :ivar conn: as in ReloadConfig.
    """

    nodeid: int
    conn: int


class ReloadConfig(NamedTuple):
    """
    Everybody shall read corosync.conf again.

    :ivar conn: the client of ``nodeid`` that waits for the answer; other nodes do not look at it.
    """

    nodeid: int
    conn: int


def encode_killnode(message: KillNode) -> bytes:
    """Encode a KILLNODE."""
    return _KILLNODE.little.pack(KILLNODE_ID, KILLNODE_LEN, message.nodeid) + NAME.little.pack(
        len(message.reason), message.reason
    )


def decode_killnode(data: Buffer, big_endian: bool) -> KillNode:
    """Decode a KILLNODE; raises MalformedFrame."""
    need(data, KILLNODE_LEN, "cfg killnode")
    nodeid = _KILLNODE.of(big_endian).unpack_from(data)[2]
    return KillNode(nodeid, decode_name(data, _KILLNODE_REASON_OFFSET, big_endian))


def encode_ring_reenable(message: RingReenable) -> bytes:
    """Encode a RINGREENABLE."""
    return _RELOAD.little.pack(RING_REENABLE_ID, RELOAD_LEN, *message)


def decode_ring_reenable(data: Buffer, big_endian: bool) -> RingReenable:
    """Decode a RINGREENABLE; raises MalformedFrame."""
    need(data, RELOAD_LEN, "cfg ringreenable")
    return RingReenable(*_RELOAD.of(big_endian).unpack_from(data)[2:])


def encode_shutdown() -> bytes:
    """Encode a SHUTDOWN."""
    return HEADER.little.pack(SHUTDOWN_ID, HEADER_LEN)


def encode_reload(message: ReloadConfig) -> bytes:
    """Encode a RELOAD_CONFIG."""
    return _RELOAD.little.pack(RELOAD_ID, RELOAD_LEN, *message)


def decode_reload(data: Buffer, big_endian: bool) -> ReloadConfig:
    """Decode a RELOAD_CONFIG; raises MalformedFrame."""
    need(data, RELOAD_LEN, "cfg reload")
    return ReloadConfig(*_RELOAD.of(big_endian).unpack_from(data)[2:])


def encode_crypto_reconfig(phase: CryptoPhase) -> bytes:
    """Encode a CRYPTO_RECONFIG."""
    return CRYPTO_RECONFIG.little.pack(CRYPTO_RECONFIG_ID, CRYPTO_RECONFIG_LEN, phase)


def decode_crypto_reconfig(data: Buffer, big_endian: bool) -> int:
    """Decode a CRYPTO_RECONFIG; gives the phase. Raises MalformedFrame."""
    need(data, CRYPTO_RECONFIG_LEN, "cfg crypto reconfiguration")
    return int(CRYPTO_RECONFIG.of(big_endian).unpack_from(data)[2])
