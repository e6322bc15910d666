"""Small files that a power failure leaves as they were or as they were to become."""

import errno
import os
from typing import Final

_MODE: Final = 0o600


def write_durably(path: str, content: bytes) -> None:
    """
    Replace a file by way of a second one, synced and renamed; blocks.

    Raises: OSError, with the old file in place.
    """
    draft = f"{path}.new"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _MODE)
    try:
        if os.write(descriptor, content) != len(content):
            # A write this short is cut only where the file system ran full.
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.replace(draft, path)
    directory = os.open(os.path.dirname(path) or ".", os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
