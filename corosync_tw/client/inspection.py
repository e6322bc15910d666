"""Questions to several nodes at once, for diagnoses."""

import zlib
from collections.abc import Collection, Generator
from typing import Any, Final

from twisted.internet.defer import Deferred, inlineCallbacks

from corosync_tw.client.connection import Caller
from corosync_tw.corotypes import CS_OK
from corosync_tw.errors import CsError, CsMessageError, error_of
from corosync_tw.printable import printable
from corosync_tw.services.inspection.wire import Topic

# Of one answer, unpacked: no recording is longer.
UNPACKED_LEN_BYTES_MAX: Final = 64 * 1024 * 1024
# Of the words of an error.
ERROR_LEN_CHARS_MAX: Final = 1000


class Inspection:
    """The inspection service; `corosync_tw.client.node.Node.inspection` makes it."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    @inlineCallbacks
    def ask(
        self, topic: Topic, argument: str = "", nodeids: Collection[int] = ()
    ) -> Generator[Deferred[Any], Any, dict[int, bytes | CsError]]:
        """
        Ask nodes; all members of the ring unless some are named.

        :return: fires with each node's answer, or with why there is none: CsNotExist, not in the
            ring; CsNotSupported, a stock node, or a topic of a later version; CsTimeout.
        Fails with CsBusy, CsTryAgain.
        """
        found: list[list[int]] = yield self._caller.call(
            "inspection_ask", int(topic), argument, sorted(nodeids)
        )
        answers: dict[int, bytes | CsError] = {}
        for nodeid, error, length in found:
            data = b""
            while len(data) < length:
                piece = yield self._caller.call("inspection_piece", nodeid, len(data))
                data += piece
            answers[nodeid] = unpacked(data) if error == CS_OK else _error(error, data)
        return answers


def packed(data: bytes) -> bytes:
    """Make an answer smaller for its way."""
    return zlib.compress(data)


def unpacked(data: bytes) -> bytes | CsError:
    """Give an answer as it was; one that is broken or too long is an error."""
    opened = zlib.decompressobj()
    try:
        plain = opened.decompress(data, UNPACKED_LEN_BYTES_MAX)
    except zlib.error as fault:
        return CsMessageError(f"a broken answer: {fault}")
    return plain if opened.eof else CsMessageError("an answer that is cut short, or too long")


def _error(code: int, data: bytes) -> CsError:
    said = data[: 4 * ERROR_LEN_CHARS_MAX].decode(errors="replace")[:ERROR_LEN_CHARS_MAX]
    return error_of(code, printable(said))
