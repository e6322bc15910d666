"""
The table of formats: totempg on Totem on knet, and what stands between them.

Sources are those of the codecs that are imported here.
"""

from collections.abc import Iterable
from enum import IntEnum
from struct import Struct
from typing import Final

from corosync_tw.corotypes import Guarantee
from corosync_tw.dissect.fields import (
    DATA,
    Choice,
    Chunks,
    Field,
    Fixed,
    Layout,
    Order,
    Repeated,
    fields_of,
)
from corosync_tw.net.crypto import guard
from corosync_tw.net.knet import wire as knet
from corosync_tw.net.knet.compression import MODELS
from corosync_tw.services.cfg.wire import CfgFunction
from corosync_tw.services.cmap import wire as cmap
from corosync_tw.services.cpg import wire as cpg
from corosync_tw.services.exec_wire import EXEC_GROUP, SYNC_GROUP, ServiceId, exec_id
from corosync_tw.services.exec_wire import HEADER as EXEC_HEADER
from corosync_tw.services.pload.wire import PloadFunction
from corosync_tw.services.sync import wire as sync
from corosync_tw.services.votequorum.wire import VotequorumFunction
from corosync_tw.totem import claims, messages, pg_wire
from corosync_tw.totem.const import TOTEM_MAGIC, TOTEM_VERSION, Encapsulated, MessageType
from corosync_tw.totem.rrp.frames import KIND_RING_ACTIVATE, KIND_RING_TEST
from corosync_tw.totem.rrp.probe import PROBE

TOTEM: Final = "totem"
KNET: Final = "knet"
SEALED: Final = "sealed"
_RING: Final = "ring_id.rep ring_id.seq"
_HEADER_NAMES: Final = "magic version type encapsulated nodeid target_nodeid"
_NODEID: Final = Struct("<I")
_LEN: Final = Struct("<H")


def _names(kinds: Iterable[IntEnum]) -> dict[int, str]:
    return {int(kind): kind.name.lower() for kind in kinds}


_TYPES: Final = _names(MessageType) | {
    KIND_RING_TEST: "ring_test",
    KIND_RING_ACTIVATE: "ring_activate",
}
_EXEC_IDS: Final = {
    exec_id(service, function): f"{service.name.lower()}.{function.name.lower()}"
    for service, functions in (
        (ServiceId.CFG, CfgFunction),
        (ServiceId.CPG, cpg.CpgFunction),
        (ServiceId.PLOAD, PloadFunction),
        (ServiceId.VOTEQUORUM, VotequorumFunction),
    )
    for function in functions
} | {cmap.MCAST_ID: "cmap.mcast"}


def _body(
    name: str,
    title: str,
    codec: Struct,
    names: str,
    *lists: Repeated,
    then: str | Choice = "",
    summary: tuple[str, ...],
) -> Layout:
    """Make a frame of the single ring, without the header that all of them have."""
    meanings = {"guarantee": _names(Guarantee)}
    fixed = Fixed(fields_of(codec, names, behind=messages.HEADER, meanings=meanings))
    return Layout(name, title, (fixed, *lists), then=then, summary=summary)


def _nodes(name: str, count: str) -> Repeated:
    return Repeated(name, fields_of(_NODEID, "nodeid"), count)


_ENTRY: Final = f"{_RING} aru high_delivered received_flg"
_PROBE_NAMES: Final = f"network lap tag_len activator generation number stamp {_RING}"

_TOTEM: Final = (
    Layout(
        TOTEM,
        "Totem",
        (
            Fixed(
                fields_of(
                    messages.HEADER,
                    _HEADER_NAMES,
                    meanings={"type": _TYPES, "encapsulated": _names(Encapsulated)},
                    hexadecimal=("magic",),
                )
            ),
        ),
        Order.MAGIC,
        Choice("type", _TYPES),
        ("nodeid",),
    ),
    _body(
        "orf_token",
        "Token of a ring",
        messages.ORF_TOKEN,
        f"seq token_seq aru aru_addr {_RING} backlog fcc retrans_flg rtr_list_entries",
        Repeated("rtr_list", fields_of(messages.RTR_ITEM, f"{_RING} seq"), "rtr_list_entries"),
        summary=("ring_id", "seq", "token_seq", "aru", "aru_addr", "backlog", "fcc", "rtr_list"),
    ),
    _body(
        "mcast",
        "Ordered message",
        messages.MCAST,
        f"system_from seq this_seqno {_RING} node_id guarantee",
        summary=("ring_id", "seq"),
        then=Choice("encapsulated", {int(Encapsulated.ENCAPSULATED): TOTEM}, "totempg"),
    ),
    _body(
        "memb_merge_detect",
        "Sign of life of a ring",
        messages.MERGE_DETECT,
        f"system_from {_RING}",
        then="claims",
        summary=("ring_id", "system_from"),
    ),
    _body(
        "memb_join",
        "Proposal of a membership",
        messages.MEMB_JOIN,
        "system_from proc_list_entries failed_list_entries ring_seq",
        _nodes("proc_list", "proc_list_entries"),
        _nodes("failed_list", "failed_list_entries"),
        then="claims",
        summary=("system_from", "ring_seq", "proc_list", "failed_list"),
    ),
    _body(
        "memb_commit_token",
        "Token that forms a ring",
        messages.COMMIT_TOKEN,
        f"token_seq {_RING} retrans_flg memb_index addr_entries",
        _nodes("addr", "addr_entries"),
        Repeated("memb_list", fields_of(messages.COMMIT_ENTRY, _ENTRY), "addr_entries"),
        summary=("ring_id", "token_seq", "memb_index", "addr"),
    ),
    _body(
        "token_hold_cancel",
        "Call for a held token",
        messages.HOLD_CANCEL,
        _RING,
        summary=("ring_id",),
    ),
    *(
        _body(name, title, PROBE, _PROBE_NAMES, then=DATA, summary=("ring_id", "network", "number"))
        for name, title in (
            ("ring_test", "Test of a faulty network"),
            ("ring_activate", "Word that a network is used again"),
        )
    ),
)

_SETS: Final = ("ring", "heard", "deaf_to", "unheard_by")
_CLAIMS: Final = Layout(
    "claims",
    "Whom nodes hear",
    (
        Fixed(fields_of(claims.HEAD, "magic version rows_entries nodes_entries")),
        _nodes("nodes", "nodes_entries"),
        Repeated(
            "rows",
            fields_of(claims.ROW, "place - age_ms")
            + tuple(Field(name, "s", hexadecimal=True, bits_of="nodes_entries") for name in _SETS),
            "rows_entries",
        ),
    ),
    Order.LITTLE,
    DATA,
)

_GROUP: Final = "group_len group"
_FROM: Final = "pid nodeid conn"


def _exec(name: str, title: str, codec: Struct, names: str, then: str = "") -> Layout:
    """Make a message of a service, without the header that all of them have."""
    fixed = Fixed(fields_of(codec, names, behind=EXEC_HEADER.little))
    summary = tuple(word for word in ("group", "pid", "msg_len") if word in names.split())
    return Layout(name, title, (fixed,), then=then, summary=summary)


_MESSAGES: Final = (
    Layout(
        "totempg",
        "Packed messages",
        (
            Fixed(fields_of(pg_wire.PACKET, "version type fragmented continuation count")),
            Repeated("len", fields_of(_LEN, "len"), "count"),
            Chunks("messages", "len", "message", headless="continuation", endless="fragmented"),
        ),
        summary=("count", "fragmented", "continuation"),
    ),
    Layout(
        "message",
        "Message to process groups",
        (
            Fixed(fields_of(_LEN, "groups")),
            Repeated("name_len", fields_of(_LEN, "name_len"), "groups"),
            Chunks("names", "name_len"),
        ),
        then=Choice("names", {EXEC_GROUP.decode(): "exec", SYNC_GROUP.decode(): "sync"}),
    ),
    Layout(
        "exec",
        "Message of a service",
        (Fixed(fields_of(EXEC_HEADER.little, "id size", meanings={"id": _EXEC_IDS})),),
        then=Choice(
            "id",
            {
                cpg.MCAST_ID: "cpg_mcast",
                cpg.PARTIAL_MCAST_ID: "cpg_partial_mcast",
                cpg.PROCJOIN_ID: "cpg_procjoin",
                cpg.PROCLEAVE_ID: "cpg_procjoin",
            },
        ),
        summary=("id", "size"),
    ),
    _exec("cpg_mcast", "Message to a group", cpg.MCAST.little, f"{_GROUP} msg_len {_FROM}", DATA),
    _exec(
        "cpg_partial_mcast",
        "Part of a message to a group",
        cpg.PARTIAL_MCAST.little,
        f"{_GROUP} msg_len fraglen pid type nodeid conn",
        DATA,
    ),
    _exec("cpg_procjoin", "A process comes or goes", cpg.PROCJOIN.little, f"{_GROUP} pid reason"),
    Layout(
        "sync",
        "Message of synchronization",
        (
            Fixed(
                fields_of(
                    sync.BARRIER.little,
                    f"id size {_RING}",
                    meanings={
                        "id": {sync.BARRIER_ID: "barrier", sync.SERVICE_BUILD_ID: "service_build"}
                    },
                )
            ),
        ),
        then=DATA,
        summary=("id", "ring_id"),
    ),
)

_KNET_KINDS: Final = {int(kind): f"knet_{kind.name.lower()}" for kind in knet.PacketType}
_KNET_NAMES: Final = "version type node max_version -"
_WHOLE: Final = Choice("frag_num", {0: TOTEM, 1: TOTEM})


def _knet(kind: int, title: str, codec: Struct, names: str, then: str | Choice = "") -> Layout:
    """Make a packet of knet, without the header that all of them have."""
    fixed = Fixed(
        fields_of(
            codec,
            names,
            behind=knet.HEADER,
            meanings={"compress": {number: name for name, number in MODELS.items()}},
            hexadecimal=("time", "size"),
        )
    )
    summary = tuple(word for word in names.split() if word not in {"-", "time", "channel"})
    return Layout(_KNET_KINDS[kind], title, (fixed,), then=then, summary=summary)


_PING_NAMES: Final = "link time seq timed"
_KNET: Final = (
    Layout(
        KNET,
        "Kronosnet",
        (Fixed(fields_of(knet.HEADER, _KNET_NAMES, meanings={"type": _KNET_KINDS})),),
        Order.BIG,
        Choice("type", _KNET_KINDS),
        ("node",),
    ),
    _knet(
        knet.PacketType.DATA,
        "Data",
        knet.DATA_HEADER,
        "seq compress - bcast frag_num frag_seq channel",
        Choice("compress", {0: _WHOLE}),
    ),
    _knet(knet.PacketType.PING, "Ping", knet.PING, _PING_NAMES),
    _knet(knet.PacketType.PONG, "Answer to a ping", knet.PING, _PING_NAMES),
    _knet(knet.PacketType.PMTUD, "Test of a path's MTU", knet.PMTUD, "link size", DATA),
    _knet(knet.PacketType.PMTUD_REPLY, "Answer to a test", knet.PMTUD, "link size", DATA),
)

_GUARD_NAMES: Final = "marker kind key_id type nodeid boot counter"
_SEALED: Final = (
    Layout(
        "guarded",
        "Sealed datagram of udp or udpu",
        (
            Fixed(
                fields_of(
                    guard.HEADER,
                    _GUARD_NAMES,
                    meanings={"kind": _names(guard.Kind)},
                    hexadecimal=("marker", "boot"),
                )
            ),
        ),
        Order.BIG,
        DATA,
        ("kind", "nodeid", "counter"),
    ),
    Layout(SEALED, "Sealed, or no datagram of a ring", (), then=DATA),
)

LAYOUTS: Final = {
    layout.name: layout for layout in (*_TOTEM, _CLAIMS, *_MESSAGES, *_KNET, *_SEALED)
}
# What a datagram is called: the innermost of its layers that is one of these.
KINDS: Final = (*_TYPES.values(), *_KNET_KINDS.values(), *(layout.name for layout in _SEALED))

Signature = tuple[tuple[int, tuple[int, ...]], ...]
_LOW: Final = TOTEM_MAGIC & 0xFF
_HIGH: Final = TOTEM_MAGIC >> 8
# Which layout a datagram begins with: places, and the bytes that may be there.
SIGNATURES: Final[tuple[tuple[str, Signature], ...]] = (
    (TOTEM, ((0, (_LOW,)), (1, (_HIGH,)), (2, (TOTEM_VERSION,)))),
    (TOTEM, ((0, (_HIGH,)), (1, (_LOW,)), (2, (TOTEM_VERSION,)))),
    # The pad bytes are 0; later versions write the highest that they know into the first.
    (KNET, ((0, (knet.VERSION,)), (1, tuple(_KNET_KINDS)), (4, (0, 1, 2)), (5, (0,)))),
    (
        "guarded",
        ((0, (guard.MARKER,)), (1, tuple(map(int, guard.Kind))), (3, (int(MessageType.MCAST),))),
    ),
)
# Where Corosync listens by default: udp and udpu on 5405, sending from 5404; knet's links from
# 5405 on.
PORTS: Final = range(5404, 5413)
# A frame that another one carries, and so on; stock never goes beyond two.
DEPTH_MAX: Final = 4
# Messages of one packet that are looked into.
CHUNKS_MAX: Final = 1024
