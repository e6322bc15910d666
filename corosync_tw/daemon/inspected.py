"""
What this node tells others that inspect it.

The key, and what else is secret, is never told; that two keys differ can be seen from a digest.
What takes files is for a thread, the rest for the thread of the loop.
"""

import errno
import hashlib
import json
import os
import platform
import re
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any, BinaryIO, Final

import twisted
from corosync_tw import __version__
from corosync_tw.config.schema import Config
from corosync_tw.corotypes import NS_PER_MS
from corosync_tw.daemon import scheduling
from corosync_tw.daemon.complaints import Complaints
from corosync_tw.daemon.facts import NodeFacts
from corosync_tw.daemon.maps import Maps
from corosync_tw.daemon.secrecy import is_secret, without_login, without_secrets
from corosync_tw.kernels import choice
from corosync_tw.logsys.configured import log_settings
from corosync_tw.logsys.flight.keeping import kept_paths, live_path
from corosync_tw.logsys.flight.layout import FILE_LEN_BYTES_MAX
from corosync_tw.net.ifaddr import interface_of, local_addresses
from corosync_tw.services.cmap.session import CmapMap
from corosync_tw.services.stack import Stack

LOG_LEN_BYTES: Final = 512 * 1024
CONFIGURATION_LEN_BYTES_MAX: Final = 1024 * 1024
_DIGEST_LABEL: Final = b"corosync_tw: which key is this?"
# What the nodes of a cluster have to agree on.
_COMMON: Final = ("totem.", "nodelist.node.", "quorum.")
_OWN: Final = re.compile(r"totem\.interface\.\d+\.bindnetaddr|totem\.(nodeid|keyfile)$")


def state(
    config: Config, stack: Stack, maps: Maps, links: NodeFacts, complaints: Complaints
) -> dict[str, Any]:
    """Describe what the loop's thread knows of the node, in types that JSON has."""
    stats = stack.srp.stats
    return {
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
        "token_timeout_ms": stack.params.token_timeout_ns // NS_PER_MS,
        "configuration": dict(_common(maps.icmap)),
        "key_digest": _key_digest(config.crypto.key),
        "nodes": [
            [member.nodeid, str(member.address), link.port]
            for link in config.membership.links
            for member in link.members
        ],
        "links": [[each.number, each.address, each.status] for each in links.interfaces()],
        "scheduler": scheduling.scheduler_name(),
        "memory_lock_bytes_max": scheduling.memory_lock_bytes_max(),
        "complaints": [list(each) for each in complaints.latest()],
        "pauses": [list(each) for each in maps.stats.schedmiss.events()],
        "counters": {
            each.name: value
            for each in fields(stats)
            if isinstance(value := getattr(stats, each.name), int)
        },
    }


def facts(state: dict[str, Any], config: Config, state_dir: str) -> bytes:
    """Add what the system knows of the host, as far as it tells; make a JSON object of it."""
    host = {
        "mtu_bytes": dict(_mtus(config)),
        "free_bytes": dict(_free(config, state_dir)),
        "key_file_modes": dict(_key_files(config)),
    }
    return json.dumps(state | host).encode()


def configuration(config: Config) -> bytes:
    """Give the configuration file as it is now, without secrets. Raises: OSError."""
    with _open(config.file) as file:
        return without_secrets(file.read(CONFIGURATION_LEN_BYTES_MAX))


def log(config: Config) -> bytes:
    """Give the end of the log file; nothing without one. Raises: OSError."""
    path = _log_path(config)
    if path is None:
        return b""
    with _open(path) as file:
        begin = max(os.fstat(file.fileno()).st_size - LOG_LEN_BYTES, 0)
        file.seek(begin)
        end = file.read(LOG_LEN_BYTES)
    # What is secret in half a line cannot be told.
    return without_secrets(end.partition(b"\n")[2] if begin else end)


def statistics(maps: Maps) -> bytes:
    """Give all keys of both maps as a JSON object."""
    return json.dumps(dict([*_keys(maps.icmap, ""), *_keys(maps.stats, "")])).encode()


def recording(directory: str, nodeid: int, name: str) -> bytes:
    """
    Give the file of the flight recorder, or one that it kept.

    :param name: of a kept file; ``list`` for their names, a line each; empty for the live one.
    Raises: OSError.
    """
    kept = {Path(path).name: path for path in kept_paths(directory, nodeid)}
    if name == "list":
        return "\n".join(sorted(kept)).encode()
    path = kept.get(name, "") if name else live_path(directory, nodeid)
    # The recorder makes no links: one in its place leads to what is none of the asker's business.
    with _open(path, os.O_NOFOLLOW) as file:
        return file.read(FILE_LEN_BYTES_MAX)


def _common(icmap: CmapMap) -> Iterator[tuple[str, object]]:
    for prefix in _COMMON:
        for key, value in _keys(icmap, prefix):
            if not _OWN.match(key):
                yield key, value


def _keys(each: CmapMap, prefix: str) -> Iterator[tuple[str, object]]:
    """Give keys that are no secret, with values as JSON has them."""
    walk = each.iterate(prefix)
    while (found := walk.next()) is not None:
        key, typed = found
        value = typed.value
        if is_secret(key):
            continue
        if isinstance(value, str):
            value = without_login(value)
        yield key, value.hex() if isinstance(value, bytes) else value


def _key_digest(key: bytes) -> str:
    return hashlib.sha256(_DIGEST_LABEL + key).hexdigest()[:16] if key else ""


def _mtus(config: Config) -> Iterator[tuple[str, int]]:
    addresses = local_addresses()
    for link in config.membership.links:
        interface = interface_of(str(link.local_address), addresses)
        # Where the system has no rtnetlink, it is not known.
        if interface is not None and interface.mtu:
            yield str(link.linknumber), interface.mtu


def _free(config: Config, state_dir: str) -> Iterator[tuple[str, int]]:
    log_path = _log_path(config)
    directories = [state_dir] if log_path is None else [state_dir, os.path.dirname(log_path) or "."]
    for directory in directories:
        # One that is gone has its own fault, which its user reports.
        with suppress(OSError):
            room = os.statvfs(directory)
            yield directory, room.f_bavail * room.f_frsize


def _key_files(config: Config) -> Iterator[tuple[str, int]]:
    """Give the permissions of the file that the key is from."""
    totem = config.totem
    if config.crypto.key and (totem.key is None or totem.given("keyfile")):
        with suppress(OSError):
            yield totem.keyfile, stat.S_IMODE(os.stat(totem.keyfile).st_mode)


def _log_path(config: Config) -> str | None:
    settings = log_settings(config.logging).default
    return settings.logfile if settings.to_logfile else None


def _open(path: str, more_flags: int = 0) -> BinaryIO:
    """
    Open a file of the disk; a pipe or a terminal in its place would hold the thread for ever.

    Raises: OSError.
    """
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | more_flags
    file = os.fdopen(os.open(path, flags), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "not a regular file", path)
    return file
