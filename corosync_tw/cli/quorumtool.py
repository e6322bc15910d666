"""
``corosync-quorumtool``: show and change quorum and votes.

Source: Corosync tools/corosync-quorumtool.c.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from corosync_tw.cli.gnu_options import Options, WrongOption, number
from corosync_tw.cli.quorum_session import Session, open_session
from corosync_tw.cli.quorum_status import Style, members, members_document, print_members, show
from corosync_tw.cli.stock_run import EXIT_FAILURE, EXIT_SUCCESS, Ended, complain, fail, print_json
from corosync_tw.cli.usage_texts import QUORUMTOOL
from corosync_tw.client.qb.quorum import View
from corosync_tw.client.qb.votequorum import Votequorum
from corosync_tw.corotypes import TrackFlags
from corosync_tw.errors import CsBadHandle, CsError
from corosync_tw.services.votequorum.report import InfoFlags

PROGRAM: Final = "corosync-quorumtool"
# The stock tool whose texts these are.
STOCK_VERSION: Final = "3.1.7"
EXIT_NOT_QUORATE: Final = 2
INT_MAX: Final = 2**31 - 1
UINT_MAX: Final = 2**32 - 1

_T = TypeVar("_T")


@dataclass(slots=True)
class Wish:
    """
    What the command line asks for.

    :ivar action: letter of the option that chose it.
    :ivar votes: of -v or -e.
    :ivar nodeid: whose votes -v changes; None is this node.
    """

    action: str = "s"
    votes: int = 0
    nodeid: int | None = None
    style: Style = field(default_factory=Style)


def main(argv: Sequence[str]) -> int:
    """
    Run the tool; return its exit code.

    Raises: Ended.
    """
    try:
        wish = _read(argv)
    except WrongOption as fault:
        print(QUORUMTOOL, end="")
        raise Ended(EXIT_FAILURE) from fault
    return _ACTIONS[wish.action](open_session(), wish)


def _read(argv: Sequence[str]) -> Wish:
    wish = Wish()
    style = wish.style
    for option, argument in Options(PROGRAM, argv, "VHaslpmfe:v:hin:o:", own=["json"]):
        match option:
            case "f" | "s" | "m" | "l":
                wish.action = option
            case "a":
                style.all_addresses = True
            case "i":
                style.numeric = True
            case "H":
                style.hexadecimal = True
            case "p":
                style.parsable = True
            case "json":
                style.as_json = True
            case "o":
                if argument not in {"a", "i", "n"}:
                    fail(
                        "Invalid ordering option. "
                        "valid orders are a(address), i(node ID) or n(name)"
                    )
                style.order = argument
            case "V":
                print(f"{PROGRAM} version: {STOCK_VERSION}")
                raise Ended(EXIT_SUCCESS)
            case "h":
                print(QUORUMTOOL, end="")
                raise Ended(EXIT_SUCCESS)
            case _:
                _read_number(wish, option, argument)
    return wish


def _read_number(wish: Wish, option: str, argument: str) -> None:
    least, most, complaint = _NUMBERS[option]
    value = number(argument, least, most)
    if value is None:
        fail(complaint)
    if option == "n":
        wish.nodeid = value
    else:
        wish.action, wish.votes = option, value


_NUMBERS: Final = {
    "e": (1, INT_MAX, "New expected votes value was not valid, try a positive number"),
    "n": (1, UINT_MAX, "The nodeid was not valid, try a positive number"),
    "v": (0, INT_MAX, "New votes value was not valid, try a positive number or zero"),
}


def _status(session: Session, wish: Wish) -> int:
    quorum = session.quorum
    quorate = _asked(quorum.quorate, "Unable to get cluster quorate status")
    view = _present_view(session)
    try:
        quorum.untrack()
    except CsError:
        # The name of an error that there was not, like stock.
        complain("Unable to stop quorum status tracking: success")
    ring_rep = _ring_rep(_tracked(session, TrackFlags.CURRENT))
    if show(session, view, ring_rep, quorate, wish.style) is not None:
        return EXIT_FAILURE
    return EXIT_SUCCESS if quorate else EXIT_NOT_QUORATE


def _asked(call: Callable[[], _T], complaint: str) -> _T:
    try:
        return call()
    except CsError as fault:
        fail(f"{complaint}: {fault.name}")


def _present_view(session: Session) -> View:
    quorum = session.quorum
    _asked(lambda: quorum.track(TrackFlags.CURRENT), "Unable to start quorum status tracking")
    return _asked(quorum.view, "Unable to dispatch quorum status")


def _tracked(session: Session, flags: TrackFlags) -> Votequorum | None:
    """Start to track votequorum; without any provider stock fails here, and so do we."""

    def start() -> Votequorum:
        if session.votequorum is None:
            raise CsBadHandle
        session.votequorum.track(flags)
        return session.votequorum

    if session.votequorum is None and session.provider is not None:
        return None
    return _asked(start, "Unable to start votequorum status tracking")


def _ring_rep(votequorum: Votequorum | None) -> int:
    """Wait for the next list of members, which alone names the ring's representative."""
    if votequorum is None:
        return 0
    node_list = _asked(votequorum.node_list, "Unable to dispatch votequorum status")
    return node_list.ring_id.rep


def _monitor(session: Session, wish: Wish) -> int:
    quorum = session.quorum
    if quorum.is_free():
        if not wish.style.as_json:
            print("\nQuorum is not configured - cannot monitor")
        return _status(session, wish)
    _asked(lambda: quorum.track(TrackFlags.CHANGES), "Unable to start quorum status tracking")
    votequorum = _tracked(session, TrackFlags.CHANGES)
    while True:
        view = _asked(quorum.view, "Unable to dispatch quorum status")
        fault = show(session, view, _ring_rep(votequorum), view.quorate, wish.style)
        if not wish.style.as_json:
            print(flush=True)
        if fault is not None:
            fail(f"Unable to display quorum data: {fault.name}")


def _list(session: Session, wish: Wish) -> int:
    found = members(session, _present_view(session).nodeids, wish.style)
    if wish.style.as_json:
        print_json(members_document(session, found))
    else:
        print_members(session, found, wish.style)
    return EXIT_SUCCESS


def _voting(session: Session, what: str) -> Votequorum:
    if session.votequorum is None:
        fail(f"You cannot {what}, corosync is not using votequorum")
    return session.votequorum


def _set_votes(session: Session, wish: Wish) -> int:
    votequorum = _voting(session, "change node votes")
    nodeid = session.our_nodeid if wish.nodeid is None else wish.nodeid
    _asked(
        lambda: votequorum.set_votes(nodeid, wish.votes),
        f"Unable to set votes {wish.votes} for nodeid: {nodeid}",
    )
    return _finish(wish, {"action": "set_votes", "nodeid": nodeid, "votes": wish.votes})


def _set_expected(session: Session, wish: Wish) -> int:
    votequorum = _voting(session, "change expected votes")
    _asked(lambda: votequorum.set_expected(wish.votes), "Unable to set expected votes")
    return _finish(wish, {"action": "set_expected", "votes": wish.votes})


def _unregister_qdevice(session: Session, wish: Wish) -> int:
    votequorum = _voting(session, "unregister quorum device")
    info = _asked(lambda: votequorum.info(session.our_nodeid), "Unable to get quorum device info")
    registered = bool(info.flags & InfoFlags.QDEVICE_REGISTERED)
    if registered:
        _asked(
            lambda: votequorum.unregister_qdevice(info.qdevice_name),
            "Unable to unregister quorum device",
        )
    return _finish(wish, {"action": "unregister_qdevice", "was_registered": registered})


def _finish(wish: Wish, document: dict[str, object]) -> int:
    if wish.style.as_json:
        print_json(document)
    return EXIT_SUCCESS


_ACTIONS: Final[dict[str, Callable[[Session, Wish], int]]] = {
    "s": _status,
    "m": _monitor,
    "l": _list,
    "v": _set_votes,
    "e": _set_expected,
    "f": _unregister_qdevice,
}
