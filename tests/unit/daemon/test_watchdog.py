"""The watchdog device: a driver that is told things, and a pipe that records what is written."""

import errno
import os

import pytest

from corosync_tw.daemon import watchdog
from corosync_tw.daemon.watchdog import Dog, WatchdogDevice
from corosync_tw.services.wd.effects import OpenDog, PowerWanted, SetDogTimeout, TickleDog

CALLS = {
    getattr(watchdog, name): name.removeprefix("WDIOC_")
    for name in dir(watchdog)
    if name.startswith("WDIOC_")
}


class Driver:
    """A softdog, as its ioctls show it."""

    def __init__(self, timeout_s=60, options=watchdog.WDIOF_SETTIMEOUT, allowed=range(1, 65536)):
        self.timeout_s = timeout_s
        self.options = options
        self.allowed = allowed
        self.calls = []

    def __call__(self, fd, request, data):
        self.calls.append(CALLS[request])
        if request == watchdog.WDIOC_GETSUPPORT:
            return watchdog._INFO.pack(self.options, 0, b"Software Watchdog")
        if request == watchdog.WDIOC_GETTIMEOUT:
            return watchdog._INT.pack(self.timeout_s)
        if request == watchdog.WDIOC_SETTIMEOUT:
            (wanted_s,) = watchdog._INT.unpack(data)
            if wanted_s not in self.allowed:
                raise OSError(errno.EINVAL, "no")
            self.timeout_s = wanted_s
        return data


class Engine:
    def __init__(self):
        self.armed = []

    def dog_armed(self, timeout_s):
        self.armed.append(timeout_s)


class Kennel:
    """A dog over a file that stands for the device."""

    def __init__(self, path, driver=None):
        self.path = path
        self.engine = Engine()
        self.lines = []
        self.ends = []
        open_device = WatchdogDevice if driver is None else lambda p: WatchdogDevice(p, driver)
        self.dog = Dog(self.engine, lambda *line: self.lines.append(line), open_device, self._end)

    def _end(self, *, off):
        self.ends.append(off)
        raise PermissionError(errno.EPERM, "not allowed")

    def do(self, effect):
        self.dog.effect_handlers()[type(effect)](effect)


@pytest.fixture
def device(tmp_path):
    path = tmp_path / "dog"
    path.touch()
    return path


def test_a_real_driver_is_asked_in_order(device):
    driver = Driver()
    kennel = Kennel(device, driver)
    kennel.do(OpenDog(str(device), 6))
    assert driver.calls == ["GETSUPPORT", "GETTIMEOUT", "SETTIMEOUT", "GETTIMEOUT", "SETOPTIONS"]
    assert kennel.engine.armed == [6]
    assert kennel.lines == [
        ("info", f"Watchdog {device} is now being tickled by corosync."),
        ("debug", "Software Watchdog"),
        ("debug", "The Watchdog timeout is 6 seconds"),
        ("debug", "The tickle timeout is 3000 ms"),
    ]
    driver.calls.clear()
    kennel.do(TickleDog())
    kennel.do(SetDogTimeout(10))
    kennel.do(SetDogTimeout(10))
    assert driver.calls == ["KEEPALIVE", "GETTIMEOUT", "SETTIMEOUT", "GETTIMEOUT", "GETTIMEOUT"]
    assert kennel.engine.armed == [6, 10, 10]
    kennel.dog.stop()
    assert device.read_bytes() == b"V"


@pytest.mark.parametrize("driver", [Driver(options=0), Driver(allowed=range(30, 100))])
def test_a_driver_that_keeps_its_timeout(device, driver):
    kennel = Kennel(device, driver)
    kennel.do(OpenDog(str(device), 6))
    text = "Could not change the Watchdog timeout from 60 to 6 seconds"
    assert ("warning", text) in kennel.lines
    assert kennel.engine.armed == [60]


def test_a_device_without_ioctls_records_what_is_written(tmp_path):
    pipe = tmp_path / "dog"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        kennel = Kennel(pipe)
        kennel.do(OpenDog(str(pipe), 6))
        assert kennel.engine.armed == [6]
        kennel.do(TickleDog())
        kennel.do(TickleDog())
        assert os.read(reader, 100) == b"\0\0"
        kennel.dog.stop()
        assert os.read(reader, 100) == b"V"
        assert os.read(reader, 100) == b"", "it is closed"
        assert kennel.lines[-1] == ("info", "magically closing the watchdog.")
        kennel.dog.stop()
    finally:
        os.close(reader)


def test_no_device(tmp_path):
    kennel = Kennel(tmp_path / "nowhere")
    kennel.do(OpenDog(str(kennel.path), 6))
    text = f"No watchdog {kennel.path}, try modprobe <a watchdog>"
    assert kennel.lines == [("warning", text)]
    for effect in (TickleDog(), SetDogTimeout(9)):
        kennel.do(effect)
    kennel.dog.stop()
    assert kennel.engine.armed == []


def test_a_device_that_cannot_be_opened(tmp_path):
    pipe = tmp_path / "dog"
    os.mkfifo(pipe)
    kennel = Kennel(pipe)
    kennel.do(OpenDog(str(pipe), 6))
    assert kennel.lines == [("warning", f"Watchdog {pipe} exists but couldn't be opened.")]


def test_a_device_that_does_not_take_the_letter():
    kennel = Kennel("/dev/full")
    kennel.do(OpenDog("/dev/full", 6))
    kennel.dog.stop()
    assert kennel.lines[-1][0] == "error"


@pytest.mark.parametrize("off", [False, True])
def test_an_end_that_is_refused_is_told(device, off):
    kennel = Kennel(device)
    kennel.do(PowerWanted(off))
    assert kennel.ends == [off]
    assert kennel.lines == [("crit", "cannot end the machine: [Errno 1] not allowed")]
