"""Files that appear under their name when they are whole."""

import os
from contextlib import suppress


def write_whole(path: str, data: bytes, mode: int) -> None:
    """
    Write a file beside its place, and put it there; a power failure may lose it.

    Raises: OSError, with nothing left behind and the old file in place.
    """
    new = f"{path}.new"
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
        with open(descriptor, "wb") as file:
            file.write(data)
        os.replace(new, path)
    except OSError:
        with suppress(FileNotFoundError):
            os.unlink(new)
        raise
