"""What one node told of itself, checked: it may be of another version, or lie."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Any, Final, get_args, get_origin, get_type_hints

from corosync_tw.errors import CsMessageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """
    A node, as ``daemon.inspected.facts`` describes it.

    :ivar wall_ns: its clock when it answered.
    :ivar configuration: keys of the map that nodes have to agree on.
    :ivar key_digest: tells keys apart; empty without one.
    :ivar nodes: nodeid, address and port of each configured node on each link.
    :ivar links: number, address and status of each.
    :ivar mtu_bytes: of the interface of a link, by its number.
    :ivar pauses: when, in ms since 1970, and for how many ms the process did not run.
    :ivar free_bytes: by directory.
    :ivar complaints: when, in ms since 1970, it warned of its neighbours, and how.
    :ivar key_file_modes: permissions of the key file, by path; empty without one.
    """

    nodeid: int
    host: str
    versions: dict[str, str]
    wall_ns: int
    ring: tuple[int, int]
    members: list[int]
    quorate: bool
    transport: str
    frame_len_bytes_max: int
    token_timeout_ms: int
    configuration: dict[str, str | int | float]
    key_digest: str
    nodes: list[tuple[int, str, int]]
    links: list[tuple[int, str, str]]
    mtu_bytes: dict[str, int]
    scheduler: str
    memory_lock_bytes_max: int
    pauses: list[tuple[int, int | float]]
    counters: dict[str, int]
    free_bytes: dict[str, int]
    complaints: list[tuple[int, str]]
    key_file_modes: dict[str, int]


_SHAPES: Final[Mapping[str, Any]] = get_type_hints(Facts)


def decode_facts(data: bytes) -> Facts:
    """
    Read a node's answer; what a later version adds is left out.

    Raises CsMessageError: something is missing, or is not what it should be.
    """
    try:
        told = json.loads(data)
    except (ValueError, RecursionError) as fault:
        raise CsMessageError(f"facts that are no JSON: {fault}") from None
    if not isinstance(told, dict):
        raise CsMessageError("facts that are no object")
    found = {}
    for name, shape in _SHAPES.items():
        try:
            found[name] = _shaped(told.get(name), shape)
        except TypeError:
            raise CsMessageError(f"facts without a sound {name}") from None
    return Facts(**found)


def _shaped(value: Any, shape: Any) -> Any:
    """Give a value of JSON in the shape of a type; raises TypeError."""
    origin, kinds = get_origin(shape), get_args(shape)
    if origin is list and isinstance(value, list):
        return [_shaped(each, kinds[0]) for each in value]
    if origin is tuple and isinstance(value, list) and len(value) == len(kinds):
        return tuple(_shaped(each, kind) for each, kind in zip(value, kinds, strict=True))
    if origin is dict and isinstance(value, dict):
        return {key: _shaped(each, kinds[1]) for key, each in value.items()}
    if origin in {None, UnionType} and isinstance(value, shape):
        return value
    raise TypeError
