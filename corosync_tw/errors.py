"""
Errors that callers see; each class carries the cs_error_t number of Corosync.

Source: Corosync include/corosync/corotypes.h, enum cs_error_t.
"""

from typing import ClassVar, Final


class CsError(Exception):
    """A request that could not be carried out; ``code`` is what a C client would receive."""

    code: ClassVar[int] = 2
    name: ClassVar[str] = "CS_ERR_LIBRARY"


class CsVersion(CsError):
    """The two sides speak different versions."""

    code = 3
    name = "CS_ERR_VERSION"


class CsInit(CsError):
    """A part of the library could not start."""

    code = 4
    name = "CS_ERR_INIT"


class CsTimeout(CsError):
    """No answer came in time."""

    code = 5
    name = "CS_ERR_TIMEOUT"


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


class CsNameNotFound(CsError):
    """No such name is known."""

    code = 17
    name = "CS_ERR_NAME_NOT_FOUND"


class CsNoResources(CsError):
    """A resource other than memory is used up."""

    code = 18
    name = "CS_ERR_NO_RESOURCES"


class CsNotSupported(CsError):
    """The request cannot be honoured in this configuration of the cluster."""

    code = 19
    name = "CS_ERR_NOT_SUPPORTED"


class CsBadOperation(CsError):
    """The operation does not fit the state of things."""

    code = 20
    name = "CS_ERR_BAD_OPERATION"


class CsFailedOperation(CsError):
    """The operation was tried and failed."""

    code = 21
    name = "CS_ERR_FAILED_OPERATION"


class CsMessageError(CsError):
    """A message is malformed."""

    code = 22
    name = "CS_ERR_MESSAGE_ERROR"


class CsQueueFull(CsError):
    """A queue can take no more."""

    code = 23
    name = "CS_ERR_QUEUE_FULL"


class CsQueueNotAvailable(CsError):
    """A queue does not exist."""

    code = 24
    name = "CS_ERR_QUEUE_NOT_AVAILABLE"


class CsBadFlags(CsError):
    """Flags that are unknown or exclude each other."""

    code = 25
    name = "CS_ERR_BAD_FLAGS"


class CsTooBig(CsError):
    """A message is larger than the limit of its kind."""

    code = 26
    name = "CS_ERR_TOO_BIG"


class CsNoSections(CsError):
    """An iteration has come to its end."""

    code = 27
    name = "CS_ERR_NO_SECTIONS"


class CsContextNotFound(CsError):
    """No such context is known."""

    code = 28
    name = "CS_ERR_CONTEXT_NOT_FOUND"


class CsTooManyGroups(CsError):
    """The caller is in too many groups."""

    code = 30
    name = "CS_ERR_TOO_MANY_GROUPS"


class CsSecurity(CsError):
    """A message could not be authenticated."""

    code = 100
    name = "CS_ERR_SECURITY"


_BY_CODE: Final[dict[int, type[CsError]]] = {kind.code: kind for kind in CsError.__subclasses__()}


def error_of(code: int, *text: str) -> CsError:
    """Make the error that a cs_error_t number stands for; CsError itself for an unknown number."""
    return _BY_CODE.get(code, CsError)(*text)


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
