"""
What this node tells others that inspect it.

The key, and what else is secret, is never told; that two keys differ can be seen from a digest.
"""

import hashlib
import json
import os
import platform
import re
import resource
import time
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

import twisted
from corosync_tw import __version__
from corosync_tw.config.schema import Config
from corosync_tw.daemon.facts import NodeFacts
from corosync_tw.daemon.maps import Maps
from corosync_tw.kernels import choice
from corosync_tw.logsys.configured import log_settings
from corosync_tw.logsys.flight.keeping import kept_paths, live_path
from corosync_tw.net.ifaddr import interface_of, local_addresses
from corosync_tw.services.cmap.session import CmapMap
from corosync_tw.services.stack import Stack

LOG_LEN_BYTES: Final = 512 * 1024
CONFIGURATION_LEN_BYTES_MAX: Final = 1024 * 1024
_SECRET: Final = re.compile(rb"^(\s*key\s*:).*$", re.MULTILINE)
_HIDDEN: Final = "totem.key"
_DIGEST_LABEL: Final = b"corosync_tw: which key is this?"
# What the nodes of a cluster have to agree on.
_COMMON: Final = ("totem.", "nodelist.node.", "quorum.")
_OWN: Final = re.compile(r"totem\.interface\.\d+\.bindnetaddr|totem\.(nodeid|key|keyfile)$")
_NS_PER_MS: Final = 1_000_000


def facts(config: Config, stack: Stack, maps: Maps, links: NodeFacts) -> bytes:
    """Describe the node as a JSON object."""
    stats = stack.srp.stats
    described: dict[str, Any] = {
        "nodeid": config.nodeid,
        "host": platform.node(),
        "versions": {
            "corosync_tw": __version__,
            "kernels": "compiled" if choice.COMPILED else "plain",
            "python": platform.python_version(),
            "twisted": twisted.__version__,
            "system": platform.release(),
        },
        "wall_ns": time.time_ns(),
        "ring": list(stack.ring_id),
        "members": list(stack.members),
        "quorate": stack.quorate,
        "transport": config.transport(),
        "frame_len_bytes_max": stack.params.frame_len_bytes_max,
        "token_timeout_ms": stack.params.token_timeout_ns // _NS_PER_MS,
        "configuration": dict(_common(maps.icmap)),
        "key_digest": _key_digest(config.crypto.key),
        "nodes": [
            [member.nodeid, str(member.address), link.port]
            for link in config.membership.links
            for member in link.members
        ],
        "links": [[each.number, each.address, each.status] for each in links.interfaces()],
        "mtu_bytes": dict(_mtus(config)),
        "scheduler": _SCHEDULERS.get(os.sched_getscheduler(0), "another"),
        "memory_lock_bytes_max": resource.getrlimit(resource.RLIMIT_MEMLOCK)[0],
        "pauses": [list(each) for each in maps.stats.schedmiss.events()],
        "counters": {
            each.name: value
            for each in fields(stats)
            if isinstance(value := getattr(stats, each.name), int)
        },
        "free_bytes": dict(_free(config)),
    }
    return json.dumps(described).encode()


_SCHEDULERS: Final = {os.SCHED_OTHER: "other", os.SCHED_RR: "rr", os.SCHED_FIFO: "fifo"}


def configuration(config: Config) -> bytes:
    """Give the configuration file as it is now, without keys. Raises: OSError."""
    with open(config.file, "rb") as file:
        text = file.read(CONFIGURATION_LEN_BYTES_MAX)
    return _SECRET.sub(rb"\1 (removed)", text)


def log(config: Config) -> bytes:
    """Give the end of the log file; nothing without one. Raises: OSError."""
    path = _log_path(config)
    if path is None:
        return b""
    with open(path, "rb") as file:
        file.seek(max(os.fstat(file.fileno()).st_size - LOG_LEN_BYTES, 0))
        return file.read(LOG_LEN_BYTES)


def statistics(maps: Maps) -> bytes:
    """Give all keys of both maps as a JSON object."""
    found: dict[str, object] = {}
    for each in (maps.icmap, maps.stats):
        for key, value in _keys(each, ""):
            if key != _HIDDEN:
                found[key] = value.hex() if isinstance(value, bytes) else value
    return json.dumps(found).encode()


def recording(directory: str, nodeid: int, name: str) -> bytes:
    """
    Give the file of the flight recorder, or one that it kept.

    :param name: of a kept file; ``list`` for their names, a line each; empty for the live one.
    Raises: OSError.
    """
    kept = {Path(path).name: path for path in kept_paths(directory, nodeid)}
    if name == "list":
        return "\n".join(sorted(kept)).encode()
    return Path(kept.get(name, "") if name else live_path(directory, nodeid)).read_bytes()


def _common(icmap: CmapMap) -> Iterator[tuple[str, object]]:
    for prefix in _COMMON:
        for key, value in _keys(icmap, prefix):
            if not _OWN.match(key):
                yield key, value.hex() if isinstance(value, bytes) else value


def _keys(each: CmapMap, prefix: str) -> Iterator[tuple[str, object]]:
    walk = each.iterate(prefix)
    while (found := walk.next()) is not None:
        key, typed = found
        yield key, typed.value


def _key_digest(key: bytes) -> str:
    return hashlib.sha256(_DIGEST_LABEL + key).hexdigest()[:16] if key else ""


def _mtus(config: Config) -> Iterator[tuple[str, int]]:
    addresses = local_addresses()
    for link in config.membership.links:
        interface = interface_of(str(link.local_address), addresses)
        if interface is not None:
            path = Path(f"/sys/class/net/{interface.name}/mtu")
            yield str(link.linknumber), int(path.read_text(encoding="ascii"))


def _free(config: Config) -> Iterator[tuple[str, int]]:
    path = _log_path(config)
    if path is not None:
        room = os.statvfs(os.path.dirname(path) or ".")
        yield os.path.dirname(path), room.f_bavail * room.f_frsize


def _log_path(config: Config) -> str | None:
    settings = log_settings(config.logging).default
    return settings.logfile if settings.to_logfile else None
