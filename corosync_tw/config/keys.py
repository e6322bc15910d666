"""
All keys of cmap that a configuration makes, with their types, and which of them clients may not
change.

Source: corosync 3.1.7 exec/main.c, set_icmap_ro_keys_flag; exec/votequorum.c,
votequorum_set_icmap_ro_keys; exec/totemconfig.c, totem_config_read.
"""

from typing import Final

from corosync_tw.config.derived_keys import derived_keys
from corosync_tw.config.file_keys import Keys, file_keys
from corosync_tw.config.schema import Config
from corosync_tw.services.cmap.values import TypedValue

# All keys under these prefixes are read-only.
READONLY_PREFIXES: Final = (
    "internal_configuration.",
    "runtime.services.",
    "runtime.config.",
    "runtime.totem.",
    "uidgid.config.",
    "system.",
    "nodelist.",
)
READONLY_KEYS: Final = (
    "totem.crypto_cipher",
    "totem.crypto_hash",
    "totem.crypto_model",
    "totem.keyfile",
    "totem.key",
    "totem.secauth",
    "totem.ip_version",
    "totem.rrp_mode",
    "totem.transport",
    "totem.cluster_name",
    "totem.netmtu",
    "totem.threads",
    "totem.version",
    "totem.nodeid",
    "totem.clear_node_high_bit",
    "config.reload_in_progress",
    "config.totemconfig_reload_in_progress",
    "nodelist.local_node_pos",
)
# Beside them with quorum.provider: corosync_votequorum.
VOTEQUORUM_READONLY_KEYS: Final = (
    "quorum.allow_downscale",
    "quorum.wait_for_all",
    "quorum.last_man_standing",
    "quorum.last_man_standing_window",
    "quorum.expected_votes_tracking",
    "quorum.auto_tie_breaker",
    "quorum.auto_tie_breaker_node",
)


def config_keys(config: Config) -> Keys:
    """Make the keys of a configuration, by name in no particular order."""
    keys = file_keys(config.root)
    keys |= derived_keys(config, keys)
    # Users of uidgid.d are in the configuration, not in the file.
    keys |= {f"uidgid.config.uid.{uid}": TypedValue.u8(1) for uid in config.uidgid.uids}
    keys |= {f"uidgid.config.gid.{gid}": TypedValue.u8(1) for gid in config.uidgid.gids}
    return keys


def readonly_keys(config: Config) -> tuple[str, ...]:
    """Name the single keys that clients may not change."""
    if config.quorum.provider == "corosync_votequorum":
        return READONLY_KEYS + VOTEQUORUM_READONLY_KEYS
    return READONLY_KEYS
