"""
From the tree of a corosync.conf to the keys of cmap, as a reader of stock's cmap finds them.

Where a section stands decides how its keys are stored; a section that nobody knows is stored like
the one around it. Numbers have the type of their directive, everything else is a string. The values
are those of a file that has passed its checks.
Source: corosync 3.1.7 exec/coroparse.c, main_config_parser_cb.
"""

from collections.abc import Callable
from typing import Final

from corosync_tw.config import values
from corosync_tw.config.directive import SectionConfig, directives
from corosync_tw.config.schema import all_directives
from corosync_tw.config.schema_totem import InterfaceConfig, NodeConfig
from corosync_tw.config.tree import Item, Section
from corosync_tw.services.cmap.values import TypedValue
from corosync_tw.services.cmap.wire import ValueType

Keys = dict[str, TypedValue]

_TYPE_OF_KIND: Final = {
    values.UINT8: ValueType.UINT8,
    values.UINT16: ValueType.UINT16,
    values.UINT32: ValueType.UINT32,
    values.UINT64: ValueType.UINT64,
    values.INT32: ValueType.INT32,
}
_NUMBERED: Final = frozenset({"totem.interface", "nodelist.node"})


def _typed_directives() -> dict[tuple[str, str], values.Kind]:
    """
    Name the directives that are stored as numbers, by section and key.

    A number that stock takes as it comes is not among them: its kind is a lenient one.
    """
    return {
        (path, declared.key): declared.kind
        for name, declared in all_directives()
        if declared.kind in _TYPE_OF_KIND
        and (path := name.removesuffix(f".{declared.key}")) not in _NUMBERED
    }


def _kinds(section: type[SectionConfig]) -> dict[str, values.Kind]:
    return {d.key: d.kind for _, d in directives(section)}


_TYPED: Final = _typed_directives()
_INTERFACE: Final = _kinds(InterfaceConfig)
_NODE: Final = _kinds(NodeConfig)


def typed(text: str, kind: values.Kind | None) -> TypedValue:
    """Make the value that a directive of some kind has."""
    if kind is None or kind not in _TYPE_OF_KIND:
        return TypedValue.string(text)
    number = kind.read(text)
    assert isinstance(number, int), kind.name
    return TypedValue(_TYPE_OF_KIND[kind], number)


def file_keys(root: Section, *, rings: bool = False) -> Keys:
    """
    Store a file.

    :param rings: ``ringnumber`` names a link, as in 2.x (redundant rings).

    ``uidgid`` is left out: users and groups are numbers only for a machine that knows them.
    """
    store = _Store(rings=rings)
    store.section("", root, store.plain)
    return store.keys


# Stores the keys and sections of one section with a path.
_Storer = Callable[[str, Section], None]


class _Store:
    """What is stored so far."""

    def __init__(self, *, rings: bool) -> None:
        self.keys: Keys = {}
        self._number_keys = {"linknumber", "ringnumber"} if rings else {"linknumber"}
        self._node_position = 0
        self._storers: dict[str, _Storer] = {
            "totem.interface": self.interface,
            "nodelist": self.nodelist,
            "nodelist.node": self.node,
            "logging.logger_subsys": self.logger_subsys,
            "logging.logging_daemon": self.logging_daemon,
            "uidgid": self.nothing,
            "resources.system": self.monitors,
            "resources.process": self.monitors,
        }

    def section(self, path: str, section: Section, storer: _Storer) -> None:
        """Store a section as its path says, or else like the section around it."""
        self._storers.get(path, storer)(path, section)

    def _children(self, path: str, section: Section, storer: _Storer) -> None:
        """Store the sections inside, in the order of the file."""
        for child in section.sections():
            self.section(_join(path, child.name), child, storer)

    def plain(self, path: str, section: Section) -> None:
        """Store keys under their path."""
        for entry in section.entries:
            if isinstance(entry, Item):
                self.keys[_join(path, entry.key)] = typed(
                    entry.value, _TYPED.get((path, entry.key))
                )
            else:
                self.section(_join(path, entry.name), entry, self.plain)

    def nothing(self, path: str, section: Section) -> None:
        """Store nothing."""

    def monitors(self, path: str, section: Section) -> None:
        """Store what is monitored: the period is a number, whatever the resource is called."""
        for item in section.items():
            kind = values.UINT64 if item.key == "poll_period" else None
            self.keys[_join(path, item.key)] = typed(item.value, kind)
        self._children(path, section, self.monitors)

    def interface(self, path: str, section: Section) -> None:
        """Store a link under its number; keys that stock does not know go without."""
        number = 0
        numbered: Keys = {}
        for item in section.items():
            if item.key in self._number_keys:
                number = int(item.value)
            elif item.key in _INTERFACE and item.key != "ringnumber":
                numbered[item.key] = typed(item.value, _INTERFACE[item.key])
            else:
                self.keys[_join(path, item.key)] = TypedValue.string(item.value)
        members = [
            item.value
            for child in section.sections()
            if child.name == "member"
            for item in child.items()
        ]
        # Stock keeps them on a stack.
        for position, address in enumerate(reversed(members)):
            numbered[f"member.{position}"] = TypedValue.string(address)
        for key, value in numbered.items():
            self.keys[f"{path}.{number}.{key}"] = value

    def nodelist(self, path: str, section: Section) -> None:
        """Store a list of nodes; a second list overlays the first."""
        self._node_position = 0
        self.plain(path, section)

    def node(self, path: str, section: Section) -> None:
        """Store a node under its position."""
        for item in section.items():
            self.keys[f"{path}.{self._node_position}.{item.key}"] = typed(
                item.value, _NODE.get(item.key)
            )
        self._node_position += 1

    def logger_subsys(self, path: str, section: Section) -> None:
        """Store the logger of a subsystem under its name."""
        self._logger(section, lambda subsys, key: f"{path}.{subsys}.{key}")

    def _logger(self, section: Section, name: Callable[[str, str], str], *taken: str) -> None:
        items = [item for item in section.items() if item.key not in {"subsys", *taken}]
        subsys = _last(section, "subsys") or ""
        # Stock keeps them on a stack, so the first of a repeated key counts.
        for item in reversed(items):
            self.keys[name(subsys, item.key)] = TypedValue.string(item.value)
        if subsys:
            self.keys[name(subsys, "subsys")] = TypedValue.string(subsys)

    def logging_daemon(self, path: str, section: Section) -> None:
        """Store the logger of another daemon, or of this one under its old name."""
        daemon = _last(section, "name") or ""
        subsys = _last(section, "subsys")
        if daemon == "corosync" and subsys is not None:
            self._logger(
                section, lambda subsys, key: f"logging.logger_subsys.{subsys}.{key}", "name"
            )
        elif daemon == "corosync":
            self._logger(section, lambda _, key: f"logging.{key}", "name")
        elif subsys is not None:
            self._logger(section, lambda subsys, key: f"{path}.{daemon}.{subsys}.{key}", "name")
            self.keys[f"{path}.{daemon}.{subsys}.name"] = TypedValue.string(daemon)
        else:
            self._logger(section, lambda _, key: f"{path}.{daemon}.{key}", "name")
            self.keys[f"{path}.{daemon}.name"] = TypedValue.string(daemon)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _last(section: Section, key: str) -> str | None:
    found = None
    for item in section.items():
        if item.key == key:
            found = item.value
    return found
