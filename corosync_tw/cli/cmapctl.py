"""
``corosync-cmapctl``: read, write, delete, follow keys of the daemon's maps.

Source: Corosync tools/corosync-cmapctl.c.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from corosync_tw.cli.cmap_files import Setting, read_settings
from corosync_tw.cli.cmap_follow import follow
from corosync_tw.cli.cmap_values import Style, parse_value
from corosync_tw.cli.gnu_options import Options
from corosync_tw.cli.stock_run import (
    EXIT_FAILURE,
    EXIT_SUCCESS,
    Ended,
    complain,
    fail,
    print_json,
    repeated,
)
from corosync_tw.cli.usage_texts import CMAPCTL
from corosync_tw.client.qb.cmap import Cmap, Map, connect_cmap
from corosync_tw.errors import CsError, CsInvalidParam
from corosync_tw.services.cmap.values import TypedValue

PROGRAM: Final = "corosync-cmapctl"
TRIES_MAX: Final = 11
_CLEARABLE: Final = ("knet", "totem", "ipc", "schedmiss", "all")
_MAPS: Final = {"icmap": Map.ICMAP, "default": Map.ICMAP, "stats": Map.STATS}
_PRINT: Final = "print"
ALL: Final = (None,)


@dataclass(slots=True)
class Wish:
    """
    What the command line asks for.

    :ivar action: letter of the option that chose it, or _PRINT.
    :ivar argument: of -p or -C.
    :ivar exact: -t was given, for keys and not prefixes.
    """

    action: str = _PRINT
    argument: str = ""
    which: Map = Map.ICMAP
    exact: bool = False
    style: Style = field(default_factory=Style)
    names: list[str] = field(default_factory=list)


def main(argv: Sequence[str]) -> int:
    """
    Run the tool; return its exit code.

    Raises: Ended, WrongOption.
    """
    wish = _read(argv)
    try:
        cmap = repeated(lambda: connect_cmap(wish.which), TRIES_MAX)
    except CsError as fault:
        fail(f"Failed to initialize the cmap API. Error {fault.name}")
    try:
        return _ACTIONS[wish.action](cmap, wish)
    finally:
        cmap.close()


def _read(argv: Sequence[str]) -> Wish:
    wish, known_map = Wish(), False
    binary = quiet = as_json = False
    options = Options(PROGRAM, argv, "m:hqgsdDtTbp:C:", own=["json"])
    for option, argument in options:
        match option:
            case "h":
                print(CMAPCTL, end="")
                raise Ended(EXIT_SUCCESS)
            case "m":
                known_map = known_map or argument in _MAPS
                wish.which = _MAPS.get(argument, wish.which)
                if not known_map:
                    fail("invalid map name, must be 'default', 'icmap' or 'stats'")
            case "C":
                if argument not in _CLEARABLE:
                    fail("argument to -C should be 'knet', 'totem', 'ipc', 'schedmiss' or 'all'")
                wish.action, wish.argument, wish.which = option, argument, Map.STATS
            case "p":
                wish.action, wish.argument = option, argument
            case "b":
                binary = True
            case "q":
                quiet = True
            case "json":
                as_json = True
            case _:
                wish.action, wish.exact = option, wish.exact or option == "t"
    wish.style, wish.names = Style(binary, quiet, as_json), options.operands
    if not wish.names and wish.action not in {_PRINT, "p", "C"}:
        fail("Expected key after options")
    return wish


def _print_prefixes(cmap: Cmap, wish: Wish) -> int:
    found: list[dict[str, Any]] = []
    empty = sum(
        not _printed(cmap, _listed(cmap, prefix), wish.style, found) for prefix in wish.names or ALL
    )
    _finish(wish, {"keys": found})
    return EXIT_FAILURE if empty and empty >= len(wish.names) else EXIT_SUCCESS


def _listed(cmap: Cmap, prefix: str | None) -> Iterator[str]:
    try:
        keys = cmap.keys(prefix)
    except CsError as fault:
        fail(f"Failed to initialize iteration. Error {fault.name}")
    return (key.name for key in keys)


def _printed(cmap: Cmap, names: Iterator[str], style: Style, found: list[dict[str, Any]]) -> bool:
    """Print keys, or collect them for JSON; tell whether there was any."""
    any_listed = False
    # Like stock, whose loop ends silently when the daemon does.
    with suppress(CsError):
        for name in names:
            any_listed = True
            value = _readable(cmap, name)
            if value is not None:
                _show(name, value, style, found)
    return any_listed


def _readable(cmap: Cmap, name: str) -> TypedValue | None:
    try:
        return repeated(lambda: cmap.get(name), TRIES_MAX)
    except CsError as fault:
        complain(f"Can't get value of {name}. Error {fault.name}")
        return None


def _show(name: str, value: TypedValue, style: Style, found: list[dict[str, Any]]) -> None:
    if style.as_json:
        found.append(style.document(name, value))
    else:
        print(style.text(name, value))


def _get(cmap: Cmap, wish: Wish) -> int:
    found: list[dict[str, Any]] = []
    for name in wish.names:
        try:
            value = cmap.get(name)
        except CsError as fault:
            fail(f"Can't get key {name}. Error {fault.name}")
        _show(name, value, wish.style, found)
    return _finish(wish, {"keys": found})


def _set(cmap: Cmap, wish: Wish) -> int:
    if len(wish.names) < 3:
        fail("At least 3 parameters are expected for set")
    name, kind, text = wish.names[:3]
    _write(cmap, Setting(name, kind, text))
    return _finish(wish, {"set": [name], "deleted": []})


def _write(cmap: Cmap, setting: Setting) -> None:
    value = parse_value(setting.kind, setting.text)
    try:
        if value.value == b"":
            raise CsInvalidParam("the C library sets no binary of no bytes")
        cmap.set(setting.name, value)
    except CsError as fault:
        fail(f"Failed to set key {setting.name}. Error {fault.name}")


def _delete(cmap: Cmap, wish: Wish) -> int:
    for name in wish.names:
        if not _deleted(cmap, name):
            raise Ended(EXIT_FAILURE)
    return _finish(wish, {"set": [], "deleted": wish.names})


def _deleted(cmap: Cmap, name: str) -> bool:
    try:
        cmap.delete(name)
    except CsError as fault:
        complain(f"Can't delete key {name}. Error {fault.name}")
        return False
    return True


def _delete_prefixes(cmap: Cmap, wish: Wish) -> int:
    deleted = [name for prefix in wish.names for name in _deleted_prefix(cmap, prefix)]
    return _finish(wish, {"set": [], "deleted": deleted})


def _deleted_prefix(cmap: Cmap, prefix: str) -> list[str]:
    deleted: list[str] = []
    with suppress(CsError):
        deleted.extend(name for name in _listed(cmap, prefix) if _deleted(cmap, name))
    return deleted


def _load(cmap: Cmap, wish: Wish) -> int:
    written: list[str] = []
    deleted: list[str] = []
    for step in read_settings(wish.argument):
        if isinstance(step, Setting):
            _write(cmap, step)
            written.append(step.name)
        elif step.is_prefix:
            deleted += _deleted_prefix(cmap, step.name)
        elif _deleted(cmap, step.name):
            deleted.append(step.name)
    return _finish(wish, {"set": written, "deleted": deleted})


def _track(cmap: Cmap, wish: Wish) -> int:
    follow(cmap, wish.names, wish.style, by_prefix=not wish.exact)
    return EXIT_SUCCESS


def _clear(cmap: Cmap, wish: Wish) -> int:
    name = f"stats.clear.{wish.argument}"
    # Stock does not look whether that worked.
    with suppress(CsError):
        cmap.set(name, TypedValue.u32(1))
    return _finish(wish, {"set": [name], "deleted": []})


def _finish(wish: Wish, document: dict[str, Any]) -> int:
    if wish.style.as_json:
        print_json(document)
    return EXIT_SUCCESS


_ACTIONS: Final[dict[str, Callable[[Cmap, Wish], int]]] = {
    _PRINT: _print_prefixes,
    "g": _get,
    "s": _set,
    "d": _delete,
    "D": _delete_prefixes,
    "p": _load,
    "t": _track,
    "T": _track,
    "C": _clear,
}
