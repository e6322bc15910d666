"""
All keys of cmap that a configuration makes, with their types.

Source: corosync 3.1.7 exec/votequorum.c, votequorum_set_icmap_ro_keys; exec/coroparse.c,
read_uidgid_files_into_icmap.
"""

from typing import Final

from corosync_tw.config.derived_keys import derived_keys
from corosync_tw.config.file_keys import Keys, file_keys
from corosync_tw.config.schema import Config
from corosync_tw.services.cmap.values import TypedValue

# Which clients may not change, beside those of services.cmap.readonly, with
# quorum.provider: corosync_votequorum.
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
    keys = file_keys(config.root, rings=config.is_redundant())
    keys |= derived_keys(config, keys)
    # Users of uidgid.d are in the configuration, not in the file.
    keys |= {f"uidgid.config.uid.{uid}": TypedValue.u8(1) for uid in config.uidgid.uids}
    keys |= {f"uidgid.config.gid.{gid}": TypedValue.u8(1) for gid in config.uidgid.gids}
    return keys


def readonly_keys(config: Config) -> tuple[str, ...]:
    """Name the keys that clients may not change because of what is configured."""
    if config.quorum.provider == "corosync_votequorum":
        return VOTEQUORUM_READONLY_KEYS
    return ()
