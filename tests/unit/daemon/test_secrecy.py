"""What is secret stays on its node, however it is written."""

import pytest

from corosync_tw.config.grammar import parse
from corosync_tw.daemon.secrecy import is_secret, without_login, without_secrets

SECRET = b"open-sesame"
IN_FORCE = [
    b"key: open-sesame",
    b"\tkey:open-sesame",
    b"key :  open-sesame\r",
    b"\xc2\xa0key: open-sesame",
    b"\xa0key\xc2\xa0: open-sesame",
    b"key: of two words: open-sesame",
]
BESIDE = [
    b"# key: open-sesame",
    b"#key = open-sesame",
    b"Key: open-sesame",
    b"totem { key: open-sesame }",
    b"version: 2\rkey: open-sesame",
    b'"password": "open-sesame"',
    b"pb_password: open-sesame",
    b"proxy: https://admin:open-sesame@example.org/x",
    b"proxy: ldap://admin:open@sesame-open-sesame@example.org",
]


@pytest.mark.parametrize("line", IN_FORCE)
def test_a_key_in_force_is_told_in_none_of_its_forms(line):
    content = b"totem {\n" + line + b"\ntoken: 3000\n}\n"
    (totem,) = parse(content, "f").entries
    assert totem.entries[0].key == "key"
    told = without_secrets(content)
    assert SECRET not in told
    assert b"(removed)\ntoken: 3000\n}\n" in told


@pytest.mark.parametrize("line", BESIDE)
def test_secrets_beside_it_are_told_in_none_of_their_forms(line):
    told = without_secrets(b"a: 1\n" + line + b"\nb: 2\n")
    assert b"sesame" not in told
    assert told.startswith(b"a: 1\n")
    assert told.endswith(b"\nb: 2\n")


def test_what_is_no_secret_stays():
    content = (
        b"totem {\n    keyfile: /etc/corosync/authkey\n    token: 3000\n}\n"
        b"# monkey: a, see https://example.org/a@b\nnode {\n    name: keys\n}\n"
    )
    assert without_secrets(content) == content


def test_long_lines_take_no_longer_than_short_ones():
    """A pattern that looks back and forth would not come to the end of this."""
    for piece in (b"key", b"key ", b"://", b"a://b", b"a" * 20, b"key\xa0\xa0"):
        assert SECRET not in without_secrets(piece * (1_000_000 // len(piece)))


@pytest.mark.parametrize("name", ["totem.key", "app.db_password", "a.SECRET", "key", "x.api-key"])
def test_keys_of_maps_that_are_secret(name):
    assert is_secret(name)


@pytest.mark.parametrize("name", ["totem.keyfile", "totem.token", "a.monkey", "key.other"])
def test_keys_of_maps_that_are_not(name):
    assert not is_secret(name)


def test_a_login_is_taken_out_of_a_value():
    assert without_login("http://u:open-sesame@h/ and \udcff") == "http://(removed)@h/ and \udcff"
