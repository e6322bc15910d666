"""
What a changed corosync.conf asks of a node that runs: what can be done, what stays as it is, and
what makes it useless as a whole.

Source: corosync 3.1.7 exec/cfg.c, remove_ro_entries; exec/totemconfig.c,
check_things_have_not_changed; exec/votequorum.c, votequorum_readconfig.
Deviation: a directive that cannot change at run time stays what it was in cmap too; stock names
some of them, and shows the new value of all others that it goes on ignoring. Deleting such a
directive counts as a change of it. A node that would get another nodeid refuses the file.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Final

from corosync_tw.config.crypto import NONE
from corosync_tw.config.directive import SectionConfig, directives
from corosync_tw.config.file_keys import Keys
from corosync_tw.config.keys import config_keys
from corosync_tw.config.knet_links import (
    check_carriers,
    interfaces_in_force,
    is_knet,
    links_in_force,
    may_change,
)
from corosync_tw.config.links import Link, Member
from corosync_tw.config.report import Report
from corosync_tw.config.rings import check_same_rings
from corosync_tw.config.schema import Config
from corosync_tw.config.schema_services import QuorumConfig
from corosync_tw.config.schema_totem import TotemConfig
from corosync_tw.config.unsupported import unsupported

# Directives of totem and quorum that stay as they were at the start, ``_live_crypto`` apart.
FIXED_TOTEM: Final = frozenset(
    {
        "version", "transport", "cluster_name", "nodeid", "clear_node_high_bit", "ip_version",
        "ip_dscp", "link_mode", "netmtu", "crypto_model", "crypto_cipher", "crypto_hash", "secauth",
        "keyfile", "key", "udp_crypto", "threads", "rrp_mode",
    }
)  # fmt: skip
FIXED_QUORUM: Final = frozenset(
    {
        "provider", "wait_for_all", "last_man_standing", "last_man_standing_window",
        "auto_tie_breaker", "auto_tie_breaker_node", "allow_downscale", "expected_votes_tracking",
    }
)  # fmt: skip
# How packets are encrypted changes with the file, but not by keys that clients set.
LIVE_CRYPTO: Final = frozenset(
    {"crypto_model", "crypto_cipher", "crypto_hash", "secauth", "keyfile", "key"}
)
# Of udp and udpu the key and the cipher change, but not whether there is one: frames are shorter.
LIVE_DATAGRAM_CRYPTO: Final = frozenset({"udp_crypto", "keyfile", "key"})
# Whole subtrees that do.
_FIXED_PREFIXES: Final = ("totem.interface.", "system.")
# Where a key that the file lacks is deleted; elsewhere services keep keys of their own.
OWNED_PREFIXES: Final = (
    "logging.",
    "totem.",
    "nodelist.",
    "quorum.",
    "uidgid.config.",
    "nozzle.",
)
_FIXED_KEYS: Final = frozenset(
    {*(f"totem.{key}" for key in FIXED_TOTEM), *(f"quorum.{key}" for key in FIXED_QUORUM)}
)


@dataclass(frozen=True, slots=True)
class Change:
    """
    A change of the configuration that can be carried out.

    :ivar config: what is in force afterwards.
    :ivar keys: its keys; those under OWNED_PREFIXES are all there are.
    :ivar added: members of link 0 that are new, or are called differently; likewise ``removed``.
    :ivar kept: a line about each directive that is different in the file and stays as it was.
    """

    config: Config
    keys: Keys
    added: tuple[Member, ...]
    removed: tuple[Member, ...]
    kept: tuple[str, ...]


def plan_change(old: Config, old_keys: Keys, new: Config) -> tuple[Change | None, list[str]]:
    """
    Work out how to go from one configuration to another.

    :param old: in force now, and ``old_keys`` its keys as they were made then.
    :return: the change, or None and the faults for which the file is refused.
    """
    config = _in_force(old, new)
    report = Report(new.file)
    _check_nodes(old, new, report)
    if is_knet(old):
        check_carriers(old, new, report)
    check_same_rings(old, new, report)
    faults = report.faults + unsupported(config)
    if faults:
        return None, faults
    keys = config_keys(new)
    kept = list(_keep_fixed(old, old_keys, keys, new))
    # Values in force follow from what is in force.
    keys |= {k: v for k, v in config_keys(config).items() if k.startswith("runtime.config.")}
    old_members, new_members = _by_nodeid(old), _by_nodeid(new)
    return Change(
        config,
        keys,
        tuple(m for n, m in new_members.items() if old_members.get(n) != m),
        tuple(m for n, m in old_members.items() if n not in new_members),
        tuple(kept),
    ), []


def _by_nodeid(config: Config) -> dict[int, Member]:
    return {member.nodeid: member for member in config.membership.links[0].members}


def _live_crypto(old: Config, new: Config) -> frozenset[str]:
    """Name the directives of encryption that may change."""
    if is_knet(old):
        return LIVE_CRYPTO
    if NONE in (old.crypto.datagram_cipher, new.crypto.datagram_cipher):
        return frozenset()
    return LIVE_DATAGRAM_CRYPTO


def _in_force(old: Config, new: Config) -> Config:
    """Make the configuration with what stays and what is new."""
    live = _live_crypto(old, new)
    fixed = FIXED_TOTEM - live
    crypto = new.crypto if live else old.crypto
    totem = replace(
        new.totem,
        interfaces=interfaces_in_force(old, new) if is_knet(old) else old.totem.interfaces,
        **{name: getattr(old.totem, name) for name in _fields(TotemConfig, fixed)},
    )
    quorum = replace(
        new.quorum,
        **{name: getattr(old.quorum, name) for name in _fields(QuorumConfig, FIXED_QUORUM)},
    )
    membership = replace(new.membership, links=_links_in_force(old, new))
    return replace(
        new,
        totem=totem,
        quorum=quorum,
        system=old.system,
        membership=membership,
        crypto=crypto,
    )


def _links_in_force(old: Config, new: Config) -> tuple[Link, ...]:
    if is_knet(old):
        return links_in_force(old, new)
    pairs = zip(old.membership.links, new.membership.links, strict=False)
    return tuple(_with_members(old_link, new_link) for old_link, new_link in pairs)


def _with_members(old: Link, new: Link) -> Link:
    """Take the nodes of one link and the addresses and ports of the other."""
    kept = {field.name: getattr(old, field.name) for field in fields(Link)}
    return Link(**{**kept, "members": new.members})


def _fields(section: type[SectionConfig], keys: frozenset[str]) -> list[str]:
    return [name for name, declared in directives(section) if declared.key in keys]


def _check_nodes(old: Config, new: Config, report: Report) -> None:
    """Report what no node can survive: another id of its own, another address of a member."""
    nodes = dict(enumerate(new.nodelist))
    ours = nodes.get(new.membership.local_position or 0, new.totem)
    if new.nodeid != old.nodeid:
        report.fault(
            ours,
            "nodeid",
            f"is {new.nodeid} for this node, which runs as {old.nodeid}: stop it before its nodeid "
            "changes",
        )
        return
    old_links = {link.linknumber: link for link in old.membership.links}
    for link in new.membership.links:
        before = old_links.get(link.linknumber)
        was = {} if before is None else {m.nodeid: m.address for m in before.members}
        for position, member in enumerate(link.members):
            address = was.get(member.nodeid, member.address)
            if address != member.address:
                report.fault(
                    nodes.get(position, new.totem),
                    f"ring{link.linknumber}_addr",
                    f"is {member.address}, but node {member.nodeid} runs with {address}: to "
                    "reconfigure an interface it must be deleted and recreated",
                )


def _keep_fixed(old: Config, old_keys: Keys, keys: Keys, new: Config) -> Iterator[str]:
    """Put back what cannot change, and yield a line about each; stock's words come first."""
    live = {f"totem.{name}" for name in _live_crypto(old, new)}
    for key in sorted(old_keys.keys() | keys.keys()):
        if key not in _FIXED_KEYS and not key.startswith(_FIXED_PREFIXES):
            continue
        if may_change(key, old, new) or key in live:
            continue
        if new.nodelist and key.endswith(".bindnetaddr"):
            # Follows from the nodelist, where another spelling of one address is no change.
            continue
        before = old_keys.get(key)
        if keys.get(key) == before:
            continue
        line_no = _line_of(key, new)
        where = f"{new.file}:{line_no}: " if line_no else f"{new.file}: "
        stays = "it stays unset" if before is None else f"it stays {before.value!r}"
        yield (
            f"Modified entry '{key}' in corosync.conf cannot be changed at run-time "
            f"({where}{stays} until this node starts again)"
        )
        if before is None:
            del keys[key]
        else:
            keys[key] = before


def _line_of(key: str, config: Config) -> int:
    """Find the line of a directive, 0 when the file has it no longer."""
    section, _, name = key.rpartition(".")
    if section.startswith("totem.interface."):
        number = section.rpartition(".")[2]
        for interface in config.totem.interfaces:
            if str(interface.linknumber) == number:
                return interface.lines.get(name, 0)
        return 0
    sections: dict[str, SectionConfig] = {
        "totem": config.totem,
        "quorum": config.quorum,
        "system": config.system,
    }
    found = sections.get(section)
    return 0 if found is None else found.lines.get(name, 0)
