"""
Encryption as the file asks for it: what holds between its directives, and the key itself.

Source: corosync 3.1.7 exec/totemconfig.c, totem_get_crypto, totem_config_keyread.
"""

from typing import Final

from corosync_tw.config.crypto import NONE, CryptoConfig
from corosync_tw.config.host import Host
from corosync_tw.config.report import Report
from corosync_tw.config.schema import Sections
from corosync_tw.config.schema_totem import TotemConfig

# totem.h: TOTEM_PRIVATE_KEY_LEN_MIN, TOTEM_PRIVATE_KEY_LEN_MAX.
KEY_LEN_BYTES_MIN: Final = 128
KEY_LEN_BYTES_MAX: Final = 4096


def read_crypto(sections: Sections, host: Host, report: Report) -> CryptoConfig:
    """Check the directives together, read the key, and give what is in force."""
    totem = sections.totem
    cipher, hash_name = totem.crypto()
    if sections.transport() == "knet":
        return _of_knet(totem, host, report)
    if (cipher, hash_name) != (NONE, NONE):
        _check_hash(totem, report)
        _refuse_on_udp(sections, report)
        _read_key(totem, host, report)
    if totem.udp_crypto == NONE:
        # Of redundant rings the tests of faulty ones are signed all the same.
        signs = sections.is_redundant() and (totem.given("keyfile") or totem.given("key"))
        return CryptoConfig(key=_read_key(totem, host, report)) if signs else CryptoConfig()
    report.warning(
        totem,
        "udp_crypto",
        "is an extension of corosync_tw: nodes that run stock Corosync cannot join this ring",
    )
    if not sections.nodelist:
        report.fault(
            totem, "udp_crypto", "works only with a nodelist: list all nodes with their addresses"
        )
    key = _read_key(totem, host, report)
    return CryptoConfig(datagram_cipher=totem.udp_crypto, key=key)


def _of_knet(totem: TotemConfig, host: Host, report: Report) -> CryptoConfig:
    cipher, hash_name = totem.crypto()
    if totem.udp_crypto != NONE:
        report.warning(
            totem,
            "udp_crypto",
            "has no effect with transport knet, use crypto_cipher and crypto_hash",
        )
    if (cipher, hash_name) == (NONE, NONE):
        return CryptoConfig(model=totem.crypto_model)
    _check_hash(totem, report)
    key = _read_key(totem, host, report)
    return CryptoConfig(model=totem.crypto_model, cipher=cipher, hash_name=hash_name, key=key)


def _check_hash(totem: TotemConfig, report: Report) -> None:
    if totem.crypto()[1] == NONE:
        report.fault(
            totem,
            _cipher_key(totem),
            "crypto_cipher requires crypto_hash with value other than none, add one",
        )


def _refuse_on_udp(sections: Sections, report: Report) -> None:
    """Report encryption that only knet has; files of 1.x had another one."""
    totem = sections.totem
    if not sections.is_legacy():
        report.fault(
            totem,
            _cipher_key(totem) if totem.crypto()[0] != NONE else "crypto_hash",
            "crypto_cipher & crypto_hash are only valid for the Knet transport, remove them or "
            "use knet",
        )


def _cipher_key(totem: TotemConfig) -> str:
    return "crypto_cipher" if totem.given("crypto_cipher") else "secauth"


def _read_key(totem: TotemConfig, host: Host, report: Report) -> bytes:
    """Give a key of sufficient length: of keyfile, else key, else of the default file."""
    if totem.key is not None and not totem.given("keyfile"):
        # The NUL behind the text is part of the key in stock, and so of what both sides share.
        key = totem.key.encode("utf-8", "surrogateescape") + b"\0"
        if len(key) < KEY_LEN_BYTES_MIN:
            report.fault(
                totem,
                "key",
                f"key is too short ({len(key) - 1} characters), should be at least "
                f"{KEY_LEN_BYTES_MIN - 1}",
            )
        return key
    try:
        key = host.read_key(totem.keyfile)
    except OSError as error:
        report.fault(
            totem,
            "keyfile",
            f"Could not open {totem.keyfile}: {error.strerror}, make one with corosync-keygen",
        )
        return b""
    if len(key) < KEY_LEN_BYTES_MIN:
        report.fault(
            totem,
            "keyfile",
            f"Could only read {len(key) * 8} bits of minimum {KEY_LEN_BYTES_MIN * 8} bits "
            f"from {totem.keyfile}, make one with corosync-keygen",
        )
    return key[:KEY_LEN_BYTES_MAX]
