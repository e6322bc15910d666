"""
How faults of libqb's connections become errors of Corosync.

Source: Corosync common_lib/error_conversion.c qb_to_cs_error.
"""

import errno
from typing import Final

from corosync_tw.errors import (
    CsAccess,
    CsBadHandle,
    CsBusy,
    CsError,
    CsExist,
    CsFailedOperation,
    CsInterrupt,
    CsInvalidParam,
    CsMessageError,
    CsNameTooLong,
    CsNoMemory,
    CsNoSpace,
    CsNotExist,
    CsNotSupported,
    CsTimeout,
    CsTooBig,
    CsTryAgain,
)

_KINDS: Final[dict[int, type[CsError]]] = {
    errno.EBADF: CsBadHandle,
    errno.ENOMEM: CsNoMemory,
    errno.ENOMSG: CsTryAgain,
    errno.ENOBUFS: CsTryAgain,
    errno.ETIMEDOUT: CsTryAgain,
    errno.EAGAIN: CsTryAgain,
    errno.EBADE: CsFailedOperation,
    errno.ETIME: CsTimeout,
    errno.EINVAL: CsInvalidParam,
    errno.EBUSY: CsBusy,
    errno.EACCES: CsAccess,
    errno.EOVERFLOW: CsNameTooLong,
    errno.EEXIST: CsExist,
    errno.ENOSPC: CsNoSpace,
    errno.EINTR: CsInterrupt,
    errno.ENOENT: CsNotExist,
    errno.ENODEV: CsNotExist,
    errno.ENOSYS: CsNotSupported,
    errno.ENOTSUP: CsNotSupported,
    errno.EBADMSG: CsMessageError,
    errno.EMSGSIZE: CsTooBig,
    errno.E2BIG: CsTooBig,
}


class Disconnected(CsError):
    """The daemon is gone, or closed this connection."""


class ForeignBytes(CsError):
    """The daemon, or who poses as it, sent or shared what libqb never would."""


def fault_of(number: int, text: str) -> CsError:
    """Make the error for an errno value, positive; CsError itself for what has no kind."""
    return _KINDS.get(number, CsError)(text)
