"""What one node told of itself, checked: it may be of another version, or lie."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, get_origin, get_type_hints

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
    """

    nodeid: int
    host: str
    versions: dict[str, str]
    wall_ns: int
    ring: list[int]
    members: list[int]
    quorate: bool
    transport: str
    frame_len_bytes_max: int
    token_timeout_ms: int
    configuration: dict[str, Any]
    key_digest: str
    nodes: list[Any]
    links: list[Any]
    mtu_bytes: dict[str, int]
    scheduler: str
    memory_lock_bytes_max: int
    pauses: list[Any]
    counters: dict[str, int]
    free_bytes: dict[str, int]


_SHAPES: Final[Mapping[str, type]] = {
    each.name: get_origin(shape) or shape
    for each, shape in zip(fields(Facts), get_type_hints(Facts).values(), strict=True)
}


def decode_facts(data: bytes) -> Facts:
    """
    Read a node's answer; what a later version adds is left out.

    Raises CsMessageError: something is missing, or is not what it should be.
    """
    try:
        told = json.loads(data)
    except ValueError as fault:
        raise CsMessageError(f"facts that are no JSON: {fault}") from None
    if not isinstance(told, dict):
        raise CsMessageError("facts that are no object")
    for name, shape in _SHAPES.items():
        if not isinstance(told.get(name), shape):
            raise CsMessageError(f"facts without a sound {name}")
    return Facts(**{name: told[name] for name in _SHAPES})
