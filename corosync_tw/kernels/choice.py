"""
Which kernels run in this process: all compiled ones or all plain ones.

The environment variable COROSYNC_TW_KERNELS decides: ``plain``, ``compiled`` (without them nothing
starts), or unset: compiled ones where every one of them was built.
"""

import os
import pkgutil
from importlib import import_module
from typing import Final

from corosync_tw.kernels import plain

VARIABLE: Final = "COROSYNC_TW_KERNELS"
# See corosync_tw.features, which kernels know nothing of.
_WITHOUT: Final = "COROSYNC_TW_WITHOUT"
CHOICES: Final = ("", "plain", "compiled")


def _why_not_compiled(wanted: str) -> str:
    """
    Say why plain kernels run; nothing when compiled ones do.

    Raises: ImportError, when compiled kernels are demanded and one cannot be loaded.
    """
    if wanted not in CHOICES:
        raise ImportError(f"{VARIABLE} is {wanted!r}: plain, compiled, or unset")
    if wanted == "plain":
        return f"{VARIABLE}=plain"
    taken_away = {word.strip() for word in os.environ.get(_WITHOUT, "").split(",")}
    if not wanted and "kernels" in taken_away:
        return f"{_WITHOUT}=kernels"
    for module in pkgutil.iter_modules(plain.__path__):
        try:
            import_module(f"corosync_tw.kernels.compiled.{module.name}")
        except ImportError as error:
            reason = f"{module.name} was not built: {error}"
            if wanted:
                raise ImportError(f"{VARIABLE}={wanted}, but {reason}") from error
            return reason
    return ""


WHY_PLAIN: Final = _why_not_compiled(os.environ.get(VARIABLE, ""))
COMPILED: Final = not WHY_PLAIN


def description() -> str:
    """Name the kernels that run, for people; why, when they are plain ones."""
    return "compiled" if COMPILED else f"plain ({WHY_PLAIN})"
