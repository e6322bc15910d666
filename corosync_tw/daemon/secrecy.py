"""
Takes out what is secret before a node tells others of itself.

Secret is what stands behind a word such as key or password, in force or commented out, and who a
URL logs in as. Rather too much is taken out than too little.
"""

import re
from typing import Final

REMOVED: Final = "(removed)"
_WORD: Final = r"(?i:(?<![a-z])(?:key|password|passwd|passphrase|secret|credentials?))"
_NAME: Final = re.compile(rf"{_WORD}$")
# Blanks of any encoding, quotes and brackets may stand between a word and its colon.
_LINE: Final = re.compile(rf"({_WORD}[^\w\n:=]*[:=])[^\n]*".encode())
_LOGIN: Final = re.compile(rb"(://)[^/\s]+@")


def without_secrets(text: bytes) -> bytes:
    """Give a file of text, whatever its encoding, without what its lines keep secret."""
    return _without_logins(_LINE.sub(rb"\1 " + REMOVED.encode(), text))


def is_secret(name: str) -> bool:
    """Tell from the name of a key of a map whether its value is told to nobody."""
    return _NAME.search(name) is not None


def without_login(value: str) -> str:
    """Give the value of a key without who a URL in it logs in as."""
    told = _without_logins(value.encode("utf-8", "surrogateescape"))
    return told.decode("utf-8", "surrogateescape")


def _without_logins(text: bytes) -> bytes:
    return _LOGIN.sub(rb"\1" + REMOVED.encode() + b"@", text)
