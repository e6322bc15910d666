"""
The watchdog device, and the end of the machine.

A device that is closed without the magic letter, as by a crash, resets the machine. Source: Linux
Documentation/watchdog/watchdog-api.rst, include/uapi/linux/watchdog.h; Corosync exec/wd.c
setup_watchdog, watchdog_timeout_apply, wd_exec_exit_fn.
"""

import ctypes
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from fcntl import ioctl
from struct import Struct
from typing import Any, Final

from corosync_tw.services.wd.effects import OpenDog, PowerWanted, SetDogTimeout, TickleDog
from corosync_tw.services.wd.engine import WdEngine

WDIOC_GETSUPPORT: Final = 0x80285700
WDIOC_SETOPTIONS: Final = 0x80045704
WDIOC_KEEPALIVE: Final = 0x80045705
WDIOC_SETTIMEOUT: Final = 0xC0045706
WDIOC_GETTIMEOUT: Final = 0x80045707
WDIOF_SETTIMEOUT: Final = 0x0080
WDIOS_ENABLECARD: Final = 0x0002
MAGIC: Final = b"V"
# struct watchdog_info: options, firmware_version, identity
_INFO: Final = Struct("=II32s")
_INT: Final = Struct("=i")
# reboot(2)
RB_AUTOBOOT: Final = 0x01234567
RB_POWER_OFF: Final = 0x4321FEDC

Ioctl = Callable[[int, int, bytes], bytes]
# Writes a line of WD's log: level and text.
Log = Callable[[str, str], None]


class WatchdogDevice:
    """
    One open device; it counts down from now on.

    :ivar identity: as the driver calls it.
    Raises: OSError.
    """

    def __init__(self, path: str, control: Ioctl = ioctl) -> None:
        self._control = control
        # A named pipe without a reader must not hold us.
        self._fd = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        options, _, identity = _INFO.unpack(self._ask(WDIOC_GETSUPPORT, bytes(_INFO.size)))
        self._adjustable = bool(options & WDIOF_SETTIMEOUT)
        self.identity = identity.partition(b"\0")[0].decode("ascii", "replace")

    def _ask(self, request: int, data: bytes) -> bytes:
        """Ask the driver; what it does not know leaves the data as it was, as in Corosync."""
        with suppress(OSError):
            return self._control(self._fd, request, data)
        return data

    def timeout_s(self, unknown_s: int = 0) -> int:
        """Give the timeout in force, seconds, or what is passed when the driver does not say."""
        answer = self._ask(WDIOC_GETTIMEOUT, _INT.pack(unknown_s))
        timeout_s: int = _INT.unpack(answer)[0]
        return timeout_s

    def set_timeout(self, timeout_s: int) -> int:
        """Ask for a timeout; give the one in force then, seconds."""
        if self._adjustable:
            self._ask(WDIOC_SETTIMEOUT, _INT.pack(timeout_s))
        return self.timeout_s(timeout_s)

    def enable(self) -> None:
        """Switch a card on that waits for that."""
        self._ask(WDIOC_SETOPTIONS, _INT.pack(WDIOS_ENABLECARD))

    def tickle(self) -> None:
        """Begin the countdown anew; a driver without the call takes a written byte."""
        try:
            self._control(self._fd, WDIOC_KEEPALIVE, bytes(_INT.size))
        except OSError:
            with suppress(OSError):
                os.write(self._fd, b"\0")

    def release(self) -> None:
        """
        Disarm and close.

        Raises: OSError: the device does not take the magic letter, and may bite.
        """
        try:
            os.write(self._fd, MAGIC)
        finally:
            os.close(self._fd)


def end_machine(*, off: bool) -> None:
    """Reboot or power off at once, without stopping anything; needs CAP_SYS_BOOT."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.reboot(ctypes.c_int(RB_POWER_OFF if off else RB_AUTOBOOT)):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


class Dog:
    """
    Does what the wd engine asks for.

    :param log: writes WD's lines.
    :param open_device: gives the device of a path.
    :param end: ends the machine.
    """

    def __init__(
        self,
        engine: WdEngine,
        log: Log,
        open_device: Callable[[str], WatchdogDevice] = WatchdogDevice,
        end: Callable[..., None] = end_machine,
    ) -> None:
        self._engine = engine
        self._log = log
        self._open_device = open_device
        self._end = end
        self._device: WatchdogDevice | None = None

    def effect_handlers(self) -> Mapping[type, Callable[[Any], None]]:
        """Name the effects that are carried out here."""
        return {
            OpenDog: self._on_open,
            SetDogTimeout: self._on_timeout,
            TickleDog: self._on_tickle,
            PowerWanted: self._on_power,
        }

    def stop(self) -> None:
        """Disarm: the end of a daemon that ends in order is no reason to reset the machine."""
        device, self._device = self._device, None
        if device is None:
            return
        self._log("info", "magically closing the watchdog.")
        try:
            device.release()
        except OSError as error:
            self._log("error", f"failed to write V to the watchdog: {error}")

    def _on_open(self, effect: OpenDog) -> None:
        path = effect.device
        if not os.access(path, os.W_OK):
            self._log("warning", f"No watchdog {path}, try modprobe <a watchdog>")
            return
        try:
            device = self._open_device(path)
        except OSError:
            self._log("warning", f"Watchdog {path} exists but couldn't be opened.")
            return
        self._device = device
        self._log("info", f"Watchdog {path} is now being tickled by corosync.")
        self._log("debug", device.identity)
        self._set_timeout(device, effect.timeout_s)
        device.enable()

    def _on_timeout(self, effect: SetDogTimeout) -> None:
        if self._device is not None:
            self._set_timeout(self._device, effect.timeout_s)

    def _set_timeout(self, device: WatchdogDevice, wanted_s: int) -> None:
        before_s = device.timeout_s()
        present_s = before_s if before_s == wanted_s else device.set_timeout(wanted_s)
        if present_s == wanted_s:
            self._log("debug", f"The Watchdog timeout is {wanted_s} seconds")
            self._log("debug", f"The tickle timeout is {wanted_s * 500} ms")
        else:
            self._log(
                "warning",
                f"Could not change the Watchdog timeout from {before_s} to {wanted_s} seconds",
            )
        self._engine.dog_armed(present_s)

    def _on_tickle(self, effect: TickleDog) -> None:
        del effect
        if self._device is not None:
            self._device.tickle()

    def _on_power(self, effect: PowerWanted) -> None:
        try:
            self._end(off=effect.off)
        except OSError as error:
            self._log("crit", f"cannot end the machine: {error}")
