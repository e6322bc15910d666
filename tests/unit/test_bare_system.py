"""
Systems that have nothing but POSIX: Python without what it names of Linux, see tests/bare.

The code asks for features and never for systems.
"""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

from corosync_tw import features

ROOT = Path(__file__).resolve().parents[2]
BARE = ROOT / "tests" / "bare"
IMPORT_ALL = """
import importlib, pkgutil, select
import corosync_tw
assert not hasattr(select, "epoll")
for module in pkgutil.walk_packages(corosync_tw.__path__, "corosync_tw."):
    try:
        importlib.import_module(module.name)
    except Exception as fault:
        print(module.name, type(fault).__name__)
"""
# What asks for the name of a system, or of a processor.
QUESTIONS = frozenset(
    {
        "os.name",
        "os.uname",
        "platform.machine",
        "platform.platform",
        "platform.processor",
        "platform.system",
        "platform.uname",
        "sys.getwindowsversion",
        "sys.platform",
        "sysconfig.get_platform",
    }
)
# The number of a system call is the processor's; the host's name is uname's, too.
INEVITABLE = {
    "corosync_tw/config/this_host.py": {"os.uname"},
    "corosync_tw/ipc/qb/semaphore.py": {"os.uname"},
}


def bare(*command):
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join((str(BARE), str(ROOT)))}
    environ.pop(features.VARIABLE, None)
    return subprocess.run(
        [sys.executable, *command], env=environ, capture_output=True, text=True, check=False
    )


def test_every_module_can_be_imported():
    ran = bare("-c", IMPORT_ALL)
    assert ran.returncode == 0, ran.stderr
    # corosync_tw.net.reactor learns from this that there is no epoll.
    assert ran.stdout == "corosync_tw.net.epoll_reactor ImportError\n"


def test_what_is_missing_is_known():
    ran = bare("-m", "corosync_tw.cli.main", "features", "--json")
    assert ran.returncode == 0, ran.stderr
    found = {one["name"]: one["available"] for one in json.loads(ran.stdout)["features"]}
    missing = {"c_clients", "epoll", "freebind", "futex", "gro", "gso", "memlock", "mtu_probe"}
    missing |= {"netlink", "packet", "peer_credentials", "realtime"}
    assert {name for name in missing if found[name]} == set()
    assert found["multicast"]


def test_stock_tools_say_that_they_cannot_ask():
    ran = bare("-m", "corosync_tw.cli.main", "cmapctl")
    assert ran.returncode == 1
    assert "Traceback" not in ran.stderr
    assert "CS_ERR_NOT_SUPPORTED" in ran.stderr


def test_nobody_asks_which_system_it_is():
    asked = {}
    for path in sorted((ROOT / "corosync_tw").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        imported = {
            f"{node.module}.{alias.name}"
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        if found := (names | imported) & QUESTIONS:
            asked[str(path.relative_to(ROOT))] = found
    assert asked == INEVITABLE
