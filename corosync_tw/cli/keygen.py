"""
``corosync-keygen``: make a key for a cluster.

Source: Corosync tools/corosync-keygen.c; include/corosync/totem/totem.h TOTEM_PRIVATE_KEY_LEN_MIN,
TOTEM_PRIVATE_KEY_LEN_MAX.
Deviation: a random file that ends too early is an error; stock asks for key presses without end.
"""

import errno
import os
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from corosync_tw.cli.gnu_options import Options, WrongOption, number
from corosync_tw.cli.stock_run import EXIT_FAILURE, EXIT_SUCCESS, Ended, fail, print_json
from corosync_tw.cli.usage_texts import KEYGEN

PROGRAM: Final = "corosync-keygen"
DEFAULT_KEY_FILE: Final = "/etc/corosync/authkey"
DEFAULT_RANDOM_FILE: Final = "/dev/urandom"
KEY_LEN_MIN: Final = 128
KEY_LEN_MAX: Final = 4096
KEY_LEN_DEFAULT: Final = 256
# Exit codes by what failed (err(3) of the stock tool).
EXIT_CREATE: Final = 2
EXIT_PERMISSIONS: Final = 3
EXIT_WRITE: Final = 4
_LONG: Final = {
    "key-file": "k:",
    "less-secure": "l",
    "random-file": "r:",
    "size": "s:",
    "help": "h",
    "json": "json",
}


def main(argv: Sequence[str]) -> int:
    """
    Run the tool; return its exit code.

    Raises: Ended.
    """
    key_file, random_file, key_len, as_json = (
        DEFAULT_KEY_FILE,
        DEFAULT_RANDOM_FILE,
        KEY_LEN_DEFAULT,
        False,
    )
    try:
        for option, argument in Options(PROGRAM, argv, "k:r:s:lh", _LONG):
            match option:
                case "k":
                    key_file = argument
                case "r":
                    random_file = argument
                case "s":
                    key_len = _key_len(argument)
                case "h":
                    print(KEYGEN)
                    return EXIT_SUCCESS
                case "json":
                    as_json = True
    except WrongOption as fault:
        print("Error parsing command line options.")
        raise Ended(EXIT_FAILURE) from fault
    _say(as_json, "Corosync Cluster Engine Authentication key generator.")
    key = _gathered(random_file, key_len, as_json)
    _written(key_file, key, as_json)
    if as_json:
        print_json({"key_file": key_file, "bits": key_len * 8, "random_file": random_file})
    return EXIT_SUCCESS


def _key_len(text: str) -> int:
    key_len = number(text, KEY_LEN_MIN, KEY_LEN_MAX)
    if key_len is None:
        # The empty line is stock's.
        fail(f"{PROGRAM}: Unsupported key size (supported <{KEY_LEN_MIN},{KEY_LEN_MAX}>)\n")
    return key_len


def _say(as_json: bool, text: str) -> None:
    if not as_json:
        print(text, flush=True)


def _gathered(random_file: str, key_len: int, as_json: bool) -> bytes:
    _say(as_json, f"Gathering {key_len * 8} bits for key from {random_file}.")
    try:
        source = os.open(random_file, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as fault:
        fail(f"{PROGRAM}: Failed to open random source: {fault.strerror}")
    if random_file == "/dev/random":
        _say(as_json, "Press keys on your keyboard to generate entropy.")
    key = b""
    try:
        while len(key) < key_len:
            part = os.read(source, key_len - len(key))
            if not part:
                fail(f"{PROGRAM}: {random_file} ends after {len(key)} bytes")
            key += part
            if len(key) < key_len:
                missing_bits = (key_len - len(key)) * 8
                _say(
                    as_json,
                    "Press keys on your keyboard to generate entropy "
                    f"({missing_bits} bits still needed).",
                )
    except OSError as fault:
        fail(f"{PROGRAM}: Could not read /dev/random: {fault.strerror}")
    finally:
        os.close(source)
    return key


def _written(key_file: str, key: bytes, as_json: bool) -> None:
    flags = os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC
    try:
        target = os.open(key_file, flags, 0o600)
    except OSError as fault:
        fail(f"{PROGRAM}: Could not create {key_file}: {fault.strerror}", EXIT_CREATE)
    try:
        try:
            os.fchmod(target, 0o400)
        except OSError as fault:
            fail(
                f"{PROGRAM}: Failed to set key file permissions to 0400: {fault.strerror}",
                EXIT_PERMISSIONS,
            )
        _say(as_json, f"Writing corosync key to {key_file}.")
        try:
            missing = len(key) - os.write(target, key)
            reason = os.strerror(errno.ENOSPC)
        except OSError as fault:
            missing, reason = len(key), str(fault.strerror)
        if missing:
            fail(f"{PROGRAM}: Could not write {key_file}: {reason}", EXIT_WRITE)
    finally:
        with suppress(OSError):
            os.close(target)
