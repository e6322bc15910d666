"""
``corosync-cfgtool``: show nodes and links; reload, reopen logs, kill a node, shut down.

Source: Corosync tools/corosync-cfgtool.c; of 2.4.6 for redundant rings.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from corosync_tw.cli.gnu_options import Options, number
from corosync_tw.cli.node_links import print_links, print_nodes, survey
from corosync_tw.cli.ring_status import has_rings, print_rings
from corosync_tw.cli.stock_run import (
    EXIT_FAILURE,
    EXIT_SUCCESS,
    complain,
    fail,
    print_json,
    repeated,
)
from corosync_tw.cli.usage_texts import CFGTOOL
from corosync_tw.client.qb.cfg import Cfg, Shutdown, connect_cfg
from corosync_tw.errors import CsError

PROGRAM: Final = "corosync-cfgtool"
NODEID_MAX: Final = 2**32 - 1
SHUTDOWN_TRIES: Final = 30
REENABLE_TRIES: Final = 10
_LONG: Final = {
    "if": "i:",
    "status": "s",
    "nodes": "n",
    "brief": "b",
    "reload": "R",
    "reopen": "L",
    "kill": "k:",
    "address": "a:",
    "shutdown": "H",
    "force": "force",
    "json": "json",
}


@dataclass(slots=True)
class Wish:
    """
    What the command line asks for.

    :ivar action: letter of the option that chose it; none asks for help.
    :ivar nodeid: of -k or -a.
    """

    action: str = ""
    nodeid: int = 0
    brief: bool = False
    force: bool = False
    as_json: bool = False


def main(argv: Sequence[str]) -> int:
    """
    Run the tool; return its exit code.

    Raises: Ended, WrongOption.
    """
    wish = _read(argv)
    if not wish.action:
        print(CFGTOOL, end="")
        return EXIT_SUCCESS
    return _ACTIONS[wish.action](wish)


def _read(argv: Sequence[str]) -> Wish:
    wish = Wish()
    for option, argument in Options(PROGRAM, argv, "i:snbrRLk:a:hH", _LONG):
        match option:
            case "s" | "n" | "r" | "R" | "L" | "H":
                wish.action = option
            case "k" | "a":
                nodeid = number(argument, 1, NODEID_MAX)
                if nodeid is None:
                    fail("The nodeid was not valid, try a positive number")
                wish.action, wish.nodeid = option, nodeid
            case "b":
                wish.brief = True
            case "force":
                wish.force = True
            case "json":
                wish.as_json = True
    return wish


def _connected(*, by_name: bool = False) -> Cfg:
    try:
        return connect_cfg()
    except CsError as fault:
        text = fault.name if by_name else fault.code
        fail(f"Could not initialize corosync configuration API error {text}")


def _status(wish: Wish) -> int:
    cfg = _connected()
    ring = survey(cfg)
    if wish.action == "n":
        print_nodes(cfg, ring, as_json=wish.as_json)
    elif has_rings(ring):
        return print_rings(cfg, ring, as_json=wish.as_json)
    else:
        print_links(cfg, ring, brief=wish.brief, as_json=wish.as_json)
    return EXIT_SUCCESS


def _reenable(wish: Wish) -> int:
    """Re-enable rings, in the words of 2.x; stock 3.x has none."""
    _say(wish, "Re-enabling all failed rings.")
    cfg = _connected()
    code = EXIT_SUCCESS
    try:
        repeated(cfg.reenable_rings, REENABLE_TRIES)
    except CsError as fault:
        complain(f"Could not re-enable ring error {fault.code}")
        code = EXIT_FAILURE
    return _finish(wish, {"action": "reenable", "done": code == EXIT_SUCCESS}, code)


def _reload(wish: Wish) -> int:
    _say(wish, "Reloading corosync.conf...")
    cfg = _connected(by_name=True)
    code = _tried(cfg.reload, "Could not reload configuration. Error")
    if code == EXIT_SUCCESS:
        _say(wish, "Done")
    return _finish(wish, {"action": "reload", "done": code == EXIT_SUCCESS}, code)


def _reopen(wish: Wish) -> int:
    cfg = _connected(by_name=True)
    code = _tried(cfg.reopen_log_files, "Could not reopen corosync logging files. Error")
    return _finish(wish, {"action": "reopen", "done": code == EXIT_SUCCESS}, code)


def _tried(call: Callable[[], None], complaint: str) -> int:
    """Call, and give the exit code: the number of the error, as stock does."""
    try:
        call()
    except CsError as fault:
        complain(f"{complaint} {fault.name}")
        return fault.code
    return EXIT_SUCCESS


def _kill(wish: Wish) -> int:
    _say(wish, f"Killing node {wish.nodeid}")
    cfg = _connected()
    try:
        cfg.kill_node(wish.nodeid, "Killed by corosync-cfgtool")
    except CsError as fault:
        fail(f"Could not kill node (error = {fault.name})")
    return _finish(wish, {"action": "kill", "nodeid": wish.nodeid, "done": True})


def _shutdown(wish: Wish) -> int:
    cfg = _connected()
    _say(wish, "Shutting down corosync")
    how = Shutdown.REGARDLESS if wish.force else Shutdown.REQUEST
    done = True
    try:
        repeated(lambda: cfg.try_shutdown(how), SHUTDOWN_TRIES)
    except CsError as fault:
        complain(f"Could not shutdown (error = {fault.code})")
        done = False
    # Stock ends with 0 either way.
    return _finish(wish, {"action": "shutdown", "done": done})


def _addresses(wish: Wish) -> int:
    cfg = _connected()
    try:
        addresses = cfg.node_addresses(wish.nodeid)
    except CsError:
        fail(f"Could not get node address for nodeid {_signed(wish.nodeid)}")
    known = [address for address in addresses if address is not None]
    if wish.as_json:
        return _finish(wish, {"nodeid": wish.nodeid, "addresses": known})
    # Stock puts a space before every address but that of link 0.
    print(
        "".join(f"{' ' * bool(link)}{one}" for link, one in enumerate(addresses) if one is not None)
    )
    return EXIT_SUCCESS


def _signed(nodeid: int) -> int:
    """Give what stock prints for a nodeid in this complaint."""
    return nodeid - 2**32 if nodeid >= 2**31 else nodeid


def _say(wish: Wish, text: str) -> None:
    if not wish.as_json:
        print(text, flush=True)


def _finish(wish: Wish, document: dict[str, object], code: int = EXIT_SUCCESS) -> int:
    if wish.as_json:
        print_json(document)
    return code


_ACTIONS: Final[dict[str, Callable[[Wish], int]]] = {
    "s": _status,
    "n": _status,
    "r": _reenable,
    "R": _reload,
    "L": _reopen,
    "k": _kill,
    "H": _shutdown,
    "a": _addresses,
}
