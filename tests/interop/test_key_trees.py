"""The keys of our configuration are those of a stock daemon with the same file, as text."""

import ipaddress
import re
import time

import pytest

from corosync_tw.config.host import Host
from corosync_tw.config.keys import config_keys
from corosync_tw.config.load import load_text
from corosync_tw.services.cmap.values import TypedValue
from corosync_tw.services.cmap.wire import ValueType
from tests.interop.key_trees import ADDRESS, CONFIGURATIONS, TAIL
from tests.interop.netbed import Machine, NetBed, Process, require
from tests.interop.nodes import Cluster

TIMEOUT_S = 5.0
LETTERS = {
    ValueType.UINT8: "u8",
    ValueType.UINT16: "u16",
    ValueType.UINT32: "u32",
    ValueType.UINT64: "u64",
    ValueType.INT32: "i32",
    ValueType.STRING: "str",
}
# What is no part of the configuration: services, members, and what is measured.
OTHERS = re.compile(
    r"internal_configuration\.|runtime\.(?!config\.)"
    r"|resources\.system\.(load_15min|memory_used)\.(current|last_updated|poll_period|state) "
    r"|resources\.watchdog_timeout \(u32\) = 6$"
)


def line(key: str, value: TypedValue) -> str:
    text = str(value.value).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return f"{key} ({LETTERS[value.kind]}) = {text}"


def host() -> Host:
    def resolve(text):
        try:
            return (ipaddress.ip_address(text),)
        except ValueError:
            return ()

    return Host(
        name="somewhere.else",
        interfaces=(ipaddress.ip_interface(f"{ADDRESS}/24"),),
        resolve=resolve,
        read_key=lambda _: b"k" * 128,
        uid_of={"root": 0}.__getitem__,
        gid_of={"root": 0}.__getitem__,
    )


def stock_keys(machine: Machine, text: str, workdir) -> list[str]:
    """Start stock, list its keys as soon as it answers, and end it."""
    path = workdir / "corosync.conf"
    path.write_text(text)
    daemon = Process(machine, ["corosync", "-f", "-c", str(path)], workdir / "log", workdir)
    try:
        began = time.monotonic()
        while time.monotonic() - began < TIMEOUT_S and daemon.exit_status is None:
            listing = machine.run("corosync-cmapctl", check=False)
            if listing.returncode == 0:
                return listing.stdout.splitlines()
            time.sleep(0.05)
    finally:
        daemon.kill()
    raise AssertionError((workdir / "log").read_text())


@pytest.fixture(scope="module")
def machine():
    require("corosync", "corosync-cmapctl")
    with NetBed([1]) as bed:
        yield bed.machines[1]


@pytest.mark.interop
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_keys(machine, name, tmp_path):
    text = CONFIGURATIONS[name] + TAIL.format(state_dir=tmp_path)
    ours = config_keys(load_text(text.encode(), "corosync.conf", host()))
    stock = stock_keys(machine, text, tmp_path)
    lines = {line(key, value) for key, value in ours.items()}
    assert {text for text in lines if not OTHERS.match(text)} == {
        text for text in stock if not OTHERS.match(text)
    }


def listing(machine: Machine, *arguments: str) -> list[str]:
    return machine.run("corosync-cmapctl", *arguments).stdout.splitlines()


def without_figures(text: str, workdir) -> str:
    """Take out what is another one at each run; types and small numbers stay."""
    text = re.sub(r"(service\d+)\.\d+\.0x[0-9a-f]+\.", r"\1.PID.PTR.", text)
    text = re.sub(r"^(stats\..*|runtime\.services.*[rt]x \(u64\)) = \d+$", r"\1 = N", text)
    text = re.sub(r"^(resources\..*\.(current|last_updated)) \(\w+\) = .*", r"\1", text)
    return text.replace(str(workdir), "WORKDIR")


@pytest.mark.interop
def test_a_running_node_shows_the_same_keys(tmp_path):
    """All of both maps, in a ring of two; ours has more under prefixes of its own."""
    shown = {}
    with NetBed([1, 2]) as bed:
        for kind, nodes in (("stock", ([1, 2], [])), ("ours", ([], [1, 2]))):
            workdir = tmp_path / kind
            workdir.mkdir()
            with Cluster(bed.machines, *nodes, workdir) as ring:
                ring.start()
                ring.wait_quorate()
                first = bed.machines[1]
                lines = listing(first) + listing(first, "-m", "stats")
            shown[kind] = [
                without_figures(text, workdir) for text in lines if ".corosync_tw." not in text
            ]
    assert shown["ours"] == shown["stock"]
