"""
What corosync.conf says about encryption, with the key.

Source: corosync 3.1.7 exec/totemconfig.c, totem_get_crypto, totem_config_keyread.
"""

from corosync_tw.config.schema import Config
from corosync_tw.config.schema_totem import TotemConfig
from corosync_tw.config.this_host import this_host
from corosync_tw.daemon.exitcodes import DaemonError, ExitCode
from corosync_tw.net.crypto.settings import CLEAR, KEY_LEN_BYTES_MAX, NONE, CryptoSettings


def crypto_settings(config: Config) -> CryptoSettings:
    """
    Make the settings of encryption; reads the key file.

    Raises: DaemonError with MAINCONFIGREAD when the key cannot be read any more.
    """
    totem = config.totem
    cipher, hash_name = totem.crypto()
    if (cipher, hash_name) == (NONE, NONE):
        return CLEAR
    return CryptoSettings(cipher, hash_name, _key(totem), totem.crypto_model)


def _key(totem: TotemConfig) -> bytes:
    """Give the key: that of keyfile, else ``key`` with its NUL, else that of the default file."""
    if totem.key is not None and not totem.given("keyfile"):
        key = totem.key.encode("utf-8", "surrogateescape") + b"\0"
    else:
        try:
            key = this_host().read_key(totem.keyfile)
        except OSError as error:
            text = (
                f"Could not open {totem.keyfile}: {error.strerror}, make one with corosync-keygen"
            )
            raise DaemonError(ExitCode.MAINCONFIGREAD, text) from error
    return key[:KEY_LEN_BYTES_MAX]
