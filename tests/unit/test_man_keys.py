"""Every key that a node shows in cmap is described, and no other."""

import ast
import re
from importlib import import_module
from pathlib import Path

import pytest

import corosync_tw
from corosync_tw.cli.cmapctl import _CLEARABLE
from corosync_tw.config.keys import config_keys
from corosync_tw.config.load import load_text
from corosync_tw.daemon.log_keeper import PREFIX as LOG_PREFIX
from corosync_tw.daemon.log_keeper import log_table
from corosync_tw.logsys.settings import LogSettings, SubsysSettings
from corosync_tw.logsys.system import Logsys
from corosync_tw.net.stats import TransportStats
from corosync_tw.services.cmap.store import CmapStore
from corosync_tw.services.mon.engine import MonEngine
from corosync_tw.services.stats.knet import KnetKeys
from corosync_tw.services.stats.rings import ring_tables
from corosync_tw.services.stats.stats_map import StatsMap
from corosync_tw.services.votequorum.report import RuntimeValues
from corosync_tw.totem.rrp.params import RrpParams
from corosync_tw.totem.rrp.redundant import RedundantRing
from tests.unit.config.hosts import conf
from tests.unit.config.test_rings import MACHINE, TWO
from tests.unit.manual import key_names, key_patterns
from tests.unit.services.cmap.test_runtime_keys import KeyRing
from tests.unit.services.ordered_bus import FakeBus
from tests.unit.services.stats.test_knet import State
from tests.unit.services.stats.test_stats_map import Client, Server

PACKAGE = Path(corosync_tw.__file__).parent
TOPS = "runtime|stats|config|internal_configuration|resources|quorum|uidgid|pload|cfg"
KEY = re.compile(rf"({TOPS})(\.[A-Za-z0-9_*]+)+")
# Names of sections in the code, which are no keys.
SECTIONS = {"quorum.device", "resources.system", "resources.process"}
DESCRIBE = 'describe these in man/corosync_tw_cmap_keys.7: ".It Va KEY"'


def live_keys():
    """Keys of a ring in memory, with everything attached that can be."""
    ring = KeyRing()
    ring.form()
    server = Server()
    server.connected = [(2, Client(17, 4711))]
    stats = StatsMap(ring.first, server, lambda: ring.now_ns, TransportStats())
    stats.schedmiss.add(1, 0.5)
    stats.provide("stats.knet.", KnetKeys(State()))
    nothing = SubsysSettings(to_stderr=False, to_syslog=False)
    stats.provide(LOG_PREFIX, log_table(Logsys(LogSettings(nothing))))
    layer = RedundantRing(RrpParams(my_id=1), lambda _ring, _seq: None)
    for prefix, table in ring_tables(layer).items():
        stats.provide(prefix, table)
    return {*ring.store.keys(""), *stats.keys("")}


def configured_keys():
    """Keys that follow from a configuration."""
    rings = conf(nodes=TWO, totem="rrp_mode: passive")
    links = conf(nodes=TWO, transport="knet")
    return {
        key for content in (rings, links) for key in config_keys(load_text(content, "f", MACHINE))
    }


def text_of(node, known):
    """A string as it stands in the code, with a star for what is put in; None for no string."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part, known) or "*" for part in node.values)
    if isinstance(node, ast.FormattedValue):
        node = node.value
    value = known.get(node.id) if isinstance(node, ast.Name) else None
    return value if isinstance(value, str) else None


def texts_of(tree, known):
    """All strings of a function; a name that it gives one string, and no other, is known."""
    known, given = dict(known), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            known[name] = None if name in given else text_of(node.value, known)
            given.add(name)
    return {text_of(node, known) for node in ast.walk(tree)}


def table_keys(node, known):
    """Keys of a table that stands in the code: its prefix and its names."""
    is_table = isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Table"
    if not is_table or len(node.args) != 2 or not isinstance(node.args[1], ast.Dict):
        return set()
    prefix = text_of(node.args[0], known)
    names = {text_of(name, known) for name in node.args[1].keys if name is not None}
    return {f"{prefix}{name}" for name in names if prefix and name}


def written_keys():
    """Keys that stand in the code as they are, and those that are made of tables of names."""
    found = set()
    for folder in ("services", "daemon"):
        for path in (PACKAGE / folder).rglob("*.py"):
            name = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
            tree = ast.parse(path.read_text(encoding="utf-8"))
            known = vars(import_module(name))
            scopes = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
            for node in ast.walk(tree):
                found |= {text_of(node, known)} | table_keys(node, known)
            found |= {text for scope in scopes for text in texts_of(scope, known)}
    keys = {text for text in found if text and KEY.fullmatch(text) and not text.endswith("*")}
    keys |= {f"runtime.votequorum.{name}" for name in RuntimeValues._fields}
    return keys - SECTIONS | {f"stats.clear.{name}" for name in _CLEARABLE}


def monitored_keys():
    """Keys that monitors keep."""
    store = CmapStore()
    MonEngine(store, FakeBus()).start()
    return set(store.keys("resources."))


@pytest.fixture(scope="module")
def keys():
    return live_keys() | configured_keys() | written_keys() | monitored_keys()


def test_every_key_is_described(keys):
    patterns = key_patterns().values()
    missing = sorted(key for key in keys if not any(one.fullmatch(key) for one in patterns))
    assert missing == [], DESCRIBE


def test_no_key_is_described_twice():
    names = key_names()
    assert len(names) == len(set(names))


def test_no_other_key_is_described(keys):
    # Directives, what other programs write, and keys of this machine alone.
    elsewhere = re.compile(r".*DIRECTIVE|resources\.process\..*|uidgid\..*|.*\.member\.POSITION")
    orphans = [
        name
        for name, pattern in key_patterns().items()
        if not elsewhere.fullmatch(name) and not any(pattern.fullmatch(key) for key in keys)
    ]
    assert orphans == [], "man/corosync_tw_cmap_keys.7 describes keys that nobody writes"
