"""Encode any message."""

from corosync_tw.totem import wire

ENCODERS = {
    wire.Mcast: wire.encode_mcast,
    wire.OrfToken: wire.encode_orf_token,
    wire.MergeDetect: wire.encode_merge_detect,
    wire.MembJoin: wire.encode_memb_join,
    wire.CommitToken: wire.encode_commit_token,
    wire.TokenHoldCancel: wire.encode_token_hold_cancel,
}


def encode(message: wire.Message, *, big_endian: bool = False) -> bytes:
    return ENCODERS[type(message)](message, big_endian=big_endian)


def plain(message: wire.Message) -> wire.Message:
    """The same message as a little-endian sender would have it, its payload as bytes."""
    if isinstance(message, wire.OrfToken | wire.CommitToken):
        message.big_endian = False
        return message
    if isinstance(message, wire.Mcast):
        message = message._replace(payload=bytes(message.payload))
    return message._replace(big_endian=False)
