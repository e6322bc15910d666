"""
Keys of ``icmap`` that clients may not change: they say what the daemon read at its start, or does.

Source: Corosync exec/main.c set_icmap_ro_keys_flag.
"""

from typing import Final

from corosync_tw.services.cmap.store import CmapStore

_PREFIXES: Final = (
    "internal_configuration.",
    "runtime.services.",
    "runtime.config.",
    "runtime.totem.",
    "uidgid.config.",
    "system.",
    "nodelist.",
)
_TOTEM_KEYS: Final = (
    "crypto_cipher",
    "crypto_hash",
    "crypto_model",
    "keyfile",
    "key",
    "udp_crypto",
    "secauth",
    "ip_version",
    "rrp_mode",
    "transport",
    "cluster_name",
    "netmtu",
    "threads",
    "version",
    "nodeid",
    "clear_node_high_bit",
)
_CONFIG_KEYS: Final = ("reload_in_progress", "totemconfig_reload_in_progress")


def protect(icmap: CmapStore) -> None:
    """Make the keys of stock read-only; once for a map."""
    for prefix in _PREFIXES:
        icmap.set_readonly(prefix, prefix=True)
    for key in _TOTEM_KEYS:
        icmap.set_readonly(f"totem.{key}")
    for key in _CONFIG_KEYS:
        icmap.set_readonly(f"config.{key}")
