"""
What corosync-quorumtool shows: the state of quorum, and the members with their votes.

Source: Corosync tools/corosync-quorumtool.c display_quorum_data, display_nodes_data.
Deviation: sorted by nodeid or name, each member keeps its own votes and flags; stock sorts the
names alone and leaves the votes in the ring's order.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from corosync_tw.cli.quorum_session import Session, node_name
from corosync_tw.cli.stock_run import complain, print_json
from corosync_tw.client.qb.quorum import View
from corosync_tw.errors import CsError, CsNotExist
from corosync_tw.services.votequorum.report import InfoFlags, NodeVotes

QDEVICE_NODEID: Final = 0
# In stock's order.
_CLUSTER_FLAGS: Final = {
    InfoFlags.TWONODE: "2Node",
    InfoFlags.QUORATE: "Quorate",
    InfoFlags.WAIT_FOR_ALL: "WaitForAll",
    InfoFlags.LAST_MAN_STANDING: "LastManStanding",
    InfoFlags.AUTO_TIE_BREAKER: "AutoTieBreaker",
    InfoFlags.ALLOW_DOWNSCALE: "AllowDownscale",
    InfoFlags.QDEVICE_REGISTERED: "Qdevice",
}
_NO_VOTES: Final = NodeVotes(0, 0, 0, 0, 0, 0, 0, InfoFlags.NONE, 0, b"")


@dataclass(slots=True)
class Style:
    """
    What is shown, and how.

    :ivar order: a as the daemon lists members, i by nodeid, n by name.
    :ivar parsable: show the column of the quorum device in any case.
    """

    order: str = "a"
    hexadecimal: bool = False
    numeric: bool = False
    all_addresses: bool = False
    parsable: bool = False
    as_json: bool = False

    def nodeid(self, nodeid: int) -> str:
        """Write a nodeid."""
        return f"0x{nodeid:08x}" if self.hexadecimal else str(nodeid)


@dataclass(frozen=True, slots=True)
class Member:
    """
    A node of the ring.

    :ivar info: its votes; None when nobody votes.
    """

    nodeid: int
    name: str
    info: NodeVotes | None


def members(session: Session, nodeids: Sequence[int], style: Style) -> list[Member]:
    """Ask for the votes and names of nodes; what cannot be had is complained about."""
    infos = [_info(session, nodeid) for nodeid in nodeids]
    found = [
        Member(
            nodeid,
            node_name(session, nodeid, numeric=style.numeric, all_addresses=style.all_addresses),
            info,
        )
        for nodeid, info in zip(nodeids, infos, strict=True)
    ]
    if style.order == "i":
        found.sort(key=lambda member: _signed(member.nodeid))
    if style.order == "n":
        found.sort(key=lambda member: member.name.encode(errors="surrogateescape"))
    return found


def _signed(nodeid: int) -> int:
    """Read a nodeid as stock compares it."""
    return nodeid - 2**32 if nodeid >= 2**31 else nodeid


def _info(session: Session, nodeid: int) -> NodeVotes | None:
    if session.votequorum is None:
        return None
    try:
        return session.votequorum.info(nodeid)
    except CsError:
        # On stdout, like stock.
        print(f"Unable to get node {nodeid} info")
        return _NO_VOTES


def print_members(session: Session, found: Sequence[Member], style: Style) -> None:
    """Show members as a table."""
    infos = [member.info for member in found if member.info is not None]
    has_qdevice = any(info.flags & InfoFlags.QDEVICE_REGISTERED for info in infos)
    with_column = has_qdevice or style.parsable
    print("\nMembership information\n----------------------")
    heads = ["Nodeid", "Votes", "Qdevice"] if with_column else ["Nodeid", "Votes"]
    print("".join(map(_padded, heads if session.votequorum else heads[:1])) + "Name")
    for member in found:
        row = _nodeid_column(member.nodeid, style)
        if member.info is not None:
            row += _padded(member.info.votes)
            row += _padded(_qdevice_state(member.info)) if with_column else ""
        print(f"{row}{member.name}{' (local)' * (member.nodeid == session.our_nodeid)}")
    if has_qdevice:
        _print_qdevice(infos[0], _our_flags(session, found), style)


def _print_qdevice(info: NodeVotes, our_flags: InfoFlags, style: Style) -> None:
    name = info.qdevice_name.decode(errors="surrogateescape")
    votes, tail = info.qdevice_votes, ""
    if not our_flags & InfoFlags.QDEVICE_CAST_VOTE:
        votes, tail = 0, f" (votes {info.qdevice_votes})"
    print(f"{_nodeid_column(QDEVICE_NODEID, style)}{_padded(votes)}{'':11}{name}{tail}")


def _our_flags(session: Session, found: Sequence[Member]) -> InfoFlags:
    for member in found:
        if member.nodeid == session.our_nodeid and member.info is not None:
            return member.info.flags
    return InfoFlags.NONE


def _padded(value: int | str) -> str:
    return f"{value:>10} "


def _nodeid_column(nodeid: int, style: Style) -> str:
    return f"{style.nodeid(nodeid)} " if style.hexadecimal else _padded(nodeid)


def _qdevice_state(info: NodeVotes) -> str:
    flags = info.flags
    if not flags & InfoFlags.QDEVICE_REGISTERED:
        return "NR"
    alive = "A" if flags & InfoFlags.QDEVICE_ALIVE else "NA"
    vote = "V" if flags & InfoFlags.QDEVICE_CAST_VOTE else "NV"
    wins = "MW" if flags & InfoFlags.QDEVICE_MASTER_WINS else "NMW"
    # Stock's buffer has room for nine characters.
    return f"{alive},{vote},{wins}"[:9]


def show(
    session: Session, view: View, ring_rep: int, quorate: bool, style: Style
) -> CsError | None:
    """
    Show everything.

    :return: why this node's own votes could not be had.
    """
    ring = f"{ring_rep:x}.{view.ring_seq:x}" if session.votequorum else f"{view.ring_seq:x}"
    if not style.as_json:
        _print_head(session, view, ring, quorate, style)
    info: NodeVotes | None = None
    fault: CsError | None = None
    if session.votequorum is not None:
        try:
            info = session.votequorum.info(session.our_nodeid)
        except CsNotExist as not_exist:
            info, fault = _NO_VOTES, not_exist
        except CsError as error:
            complain(f"Unable to get node info: {error.name}")
            fault = error
    if info is not None and not style.as_json:
        _print_votes(info)
    found = members(session, view.nodeids, style) if session.votequorum or style.as_json else []
    if style.as_json:
        print_json(_document(session, ring, quorate, info, found))
    elif session.votequorum is not None:
        print_members(session, found, style)
    return fault


def _print_head(session: Session, view: View, ring: str, quorate: bool, style: Style) -> None:
    print("Quorum information\n------------------")
    print(f"Date:             {time.ctime()}")
    print(f"Quorum provider:  {session.provider or 'Not configured'}")
    print(f"Nodes:            {len(view.nodeids)}")
    print(f"Node ID:          {style.nodeid(session.our_nodeid)}")
    print(f"Ring ID:          {ring}")
    print(f"Quorate:          {'Yes' if quorate else 'No'}")


def _print_votes(info: NodeVotes) -> None:
    blocked = " " if info.flags & InfoFlags.QUORATE else "Activity blocked"
    print("\nVotequorum information\n----------------------")
    print(f"Expected votes:   {info.expected_votes}")
    print(f"Highest expected: {info.highest_expected}")
    print(f"Total votes:      {info.total_votes}")
    print(f"Quorum:           {info.quorum} {blocked}")
    print(f"Flags:            {''.join(f'{name} ' for name in _flag_names(info))}")


def _flag_names(info: NodeVotes) -> list[str]:
    return [name for flag, name in _CLUSTER_FLAGS.items() if info.flags & flag]


def _document(
    session: Session, ring: str, quorate: bool, info: NodeVotes | None, found: Sequence[Member]
) -> dict[str, Any]:
    votes = info and {
        "expected_votes": info.expected_votes,
        "highest_expected": info.highest_expected,
        "total_votes": info.total_votes,
        "quorum": info.quorum,
        "flags": _flag_names(info),
    }
    return {
        "provider": session.provider,
        "nodeid": session.our_nodeid,
        "ring_id": ring,
        "quorate": quorate,
        "votequorum": votes,
        **members_document(session, found),
    }


def members_document(session: Session, found: Sequence[Member]) -> dict[str, Any]:
    """Describe members for JSON."""
    registered = [
        member.info
        for member in found
        if member.info is not None and member.info.flags & InfoFlags.QDEVICE_REGISTERED
    ]
    qdevice = registered and {
        "name": registered[0].qdevice_name.decode(errors="replace"),
        "votes": registered[0].qdevice_votes,
        "casts_vote": bool(_our_flags(session, found) & InfoFlags.QDEVICE_CAST_VOTE),
    }
    return {
        "members": [_member_document(session, member) for member in found],
        "qdevice": qdevice or None,
    }


def _member_document(session: Session, member: Member) -> dict[str, Any]:
    return {
        "nodeid": member.nodeid,
        "name": member.name,
        "local": member.nodeid == session.our_nodeid,
        "votes": None if member.info is None else member.info.votes,
        "qdevice": None if member.info is None else _qdevice_state(member.info),
    }
