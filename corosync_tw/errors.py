"""
Errors that callers see; each class carries the cs_error_t number of Corosync.

Source: Corosync include/corosync/corotypes.h, enum cs_error_t.
"""

from typing import ClassVar


class CsError(Exception):
    """A request that could not be carried out; ``code`` is what a C client would receive."""

    code: ClassVar[int] = 2
    name: ClassVar[str] = "CS_ERR_LIBRARY"


class CsTryAgain(CsError):
    """
    The request is sound but cannot be taken now; repeat it a little later.

    :ivar accepted: how many parts of a batch were taken before; repeat the rest.
    """

    code = 6
    name = "CS_ERR_TRY_AGAIN"

    def __init__(self, *args: object, accepted: int = 0) -> None:
        super().__init__(*args)
        self.accepted = accepted


class CsInvalidParam(CsError):
    """An argument is outside what the call allows."""

    code = 7
    name = "CS_ERR_INVALID_PARAM"


class CsNoMemory(CsError):
    """A named limit of the daemon is reached."""

    code = 8
    name = "CS_ERR_NO_MEMORY"


class CsBadHandle(CsError):
    """The connection or handle is not open."""

    code = 9
    name = "CS_ERR_BAD_HANDLE"


class CsBusy(CsError):
    """Somebody objected, or another request of the kind is under way."""

    code = 10
    name = "CS_ERR_BUSY"


class CsAccess(CsError):
    """The caller may not do that."""

    code = 11
    name = "CS_ERR_ACCESS"


class CsNotExist(CsError):
    """The thing named does not exist."""

    code = 12
    name = "CS_ERR_NOT_EXIST"


class CsNameTooLong(CsError):
    """A name is longer than its field."""

    code = 13
    name = "CS_ERR_NAME_TOO_LONG"


class CsExist(CsError):
    """The thing named exists already."""

    code = 14
    name = "CS_ERR_EXIST"


class CsNoSpace(CsError):
    """There is no room for the result."""

    code = 15
    name = "CS_ERR_NO_SPACE"


class CsInterrupt(CsError):
    """The request was interrupted."""

    code = 16
    name = "CS_ERR_INTERRUPT"


class CsNotSupported(CsError):
    """The request cannot be honoured in this configuration of the cluster."""

    code = 19
    name = "CS_ERR_NOT_SUPPORTED"


class CsMessageError(CsError):
    """A message is malformed."""

    code = 22
    name = "CS_ERR_MESSAGE_ERROR"


class CsTooBig(CsError):
    """A message is larger than the limit of its kind."""

    code = 26
    name = "CS_ERR_TOO_BIG"


class MalformedFrame(Exception):
    """Bytes from a peer that are not what they claim to be; ``args[0]`` says what is wrong."""


class ConfigError(Exception):
    """
    A configuration that cannot be used.

    :ivar faults: one line each, ``file:line: section.key: what is wrong, what would be right``.
    """

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults
