"""Who may import whom: every module of the package against the rules of docs/architecture.rst."""

import ast
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "corosync_tw"
WORDS = {f"corosync_tw.{name}" for name in ("corotypes", "errors", "printable", "prng")}
SANS_IO = {"socket", "select", "selectors", "asyncio", "threading", "subprocess", "multiprocessing"}
CORE_NEVER = SANS_IO | {"time", "os", "logging", "datetime", "secrets", "uuid", "random"}
ALLOWED_IN_CORE = set(sys.stdlib_module_names) - CORE_NEVER
TWISTED = {"twisted", "zope"}


def modules() -> dict[str, Path]:
    found = {}
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = path
    return found


MODULES = modules()


TREES = {name: ast.parse(path.read_text(), str(path)) for name, path in MODULES.items()}


def imports(nodes: Iterable[ast.AST]) -> set[str]:
    """Dotted names that are imported; of `from a import b`, `a.b` when that is a module."""
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.add(whole if whole in MODULES else str(node.module))
    return found


IMPORTS = {name: imports(ast.walk(tree)) for name, tree in TREES.items()}


def layer(name: str) -> str:
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else ""


def ours(name: str) -> set[str]:
    return {target for target in IMPORTS[name] if target.split(".")[0] == PACKAGE}


def foreign(name: str) -> set[str]:
    return {target.split(".")[0] for target in IMPORTS[name]} - {PACKAGE}


def sans_io(name: str) -> bool:
    """Layers that are fed and polled: no reactor, no clock, no socket."""
    if layer(name) in {"totem", "sim"} or name in WORDS or name in KNET:
        return True
    return layer(name) == "services" and not name.endswith(".handler")


# The links of knet are fed and polled; what has their sockets stands beside the package.
KNET = {
    name
    for name in MODULES
    if name == "corosync_tw.net.knet" or name.startswith("corosync_tw.net.knet.")
}


# What seals datagrams of udp and udpu: clock and random numbers are its parameters.
GUARDS = {"corosync_tw.net.crypto.aead", "corosync_tw.net.crypto.guard"}


def names(*layers: str) -> list[str]:
    return [name for name in MODULES if layer(name) in layers]


@pytest.mark.parametrize("name", sorted(WORDS))
def test_shared_words_import_nothing_of_ours(name):
    assert not ours(name) - WORDS
    assert foreign(name) <= set(sys.stdlib_module_names)


@pytest.mark.parametrize("name", names("kernels"))
def test_kernels_know_no_protocol(name):
    assert all(layer(target) == "kernels" for target in ours(name))
    # The environment says which twin runs.
    assert foreign(name) <= ALLOWED_IN_CORE | ({"os"} if name.endswith(".choice") else set())


@pytest.mark.parametrize("name", names("totem"))
def test_core_has_no_io(name):
    assert foreign(name) <= ALLOWED_IN_CORE
    assert all(target in WORDS or layer(target) in {"totem", "kernels"} for target in ours(name))


@pytest.mark.parametrize("name", sorted(KNET))
def test_the_links_of_knet_have_no_io(name):
    # Models of compression that the standard library lacks.
    assert foreign(name) <= ALLOWED_IN_CORE | {"lz4", "zstandard"}
    assert all(
        target in WORDS or target in KNET or layer(target) in {"totem", "kernels"}
        for target in ours(name)
    )


@pytest.mark.parametrize("name", [name for name in names("services") if sans_io(name)])
def test_services_have_no_io(name):
    assert foreign(name) <= ALLOWED_IN_CORE
    assert all(
        target in WORDS or target == PACKAGE or layer(target) in {"totem", "services", "kernels"}
        for target in ours(name)
    )


@pytest.mark.parametrize(
    "name", [name for name in names("services") if name.endswith((".engine", ".wire"))]
)
def test_engines_know_neither_the_ring_nor_each_other(name):
    own = name.rpartition(".")[0]
    for target in ours(name):
        assert target != "corosync_tw.totem.srp"
        if target.endswith(".engine"):
            assert target.rpartition(".")[0] == own, f"{name} imports another engine, {target}"


@pytest.mark.parametrize("name", names("sim"))
def test_simulator_has_no_io(name):
    # The command line alone may look at the clock, to print how fast it is.
    allowed = {"time", "os"} if name.endswith((".__main__", ".cli")) else set()
    # The type's name: see test_random_numbers_are_seeded.
    assert foreign(name) <= ALLOWED_IN_CORE | allowed | {"random"}
    assert all(
        target in WORDS
        or target in KNET | GUARDS
        or target == PACKAGE
        or layer(target) in {"totem", "services", "sim"}
        for target in ours(name)
    )


@pytest.mark.parametrize("name", [name for name in MODULES if sans_io(name)])
def test_random_numbers_are_seeded(name):
    """Generators come from corosync_tw.prng; the module random gives the type's name alone."""
    assert "random" not in {
        alias.name
        for node in ast.walk(TREES[name])
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.ImportFrom) and node.module == "random":
            assert [alias.name for alias in node.names] == ["Random"]
        if name != "corosync_tw.prng" and isinstance(node, ast.Call):
            assert not (isinstance(node.func, ast.Name) and node.func.id == "Random")


@pytest.mark.parametrize("name", names("config"))
def test_configuration_knows_the_core_only_in_load(name):
    assert not foreign(name) & TWISTED
    for target in ours(name):
        if name == "corosync_tw.config.this_host" and target == "corosync_tw.net.ifaddr":
            continue
        assert layer(target) not in {"net", "daemon", "ipc", "client", "cli", "sim"}
        # Keys are values of cmap; what they mean, and to whom, is nobody's business here.
        if name.endswith("keys") and target.startswith("corosync_tw.services.cmap."):
            assert target.rpartition(".")[2] in {"values", "wire"}, f"{name} imports {target}"
        elif layer(target) in {"totem", "services"}:
            assert name == "corosync_tw.config.load", f"{name} imports {target}"


@pytest.mark.parametrize("name", names("diagnosis"))
def test_a_diagnosis_knows_facts_alone(name):
    assert not foreign(name) & TWISTED
    known = {"diagnosis", "errors", "corotypes"}
    for target in ours(name):
        # Incidents are told by what recorders wrote of the ring's states.
        recorded = (
            target.startswith("corosync_tw.logsys.flight.") or target == "corosync_tw.totem.const"
        )
        incident = name.startswith("corosync_tw.diagnosis.incidents.")
        assert layer(target) in known or (incident and recorded), f"{name} imports {target}"


@pytest.mark.parametrize("name", names("net", "logsys", "timers", "ipc", "client"))
def test_shells_know_no_daemon(name):
    assert all(layer(target) not in {"daemon", "cli", "management"} for target in ours(name))


@pytest.mark.parametrize("name", sorted(MODULES))
def test_nobody_imports_the_command_line(name):
    if layer(name) != "cli":
        assert all(layer(target) != "cli" for target in ours(name))
    if layer(name) not in {"daemon", "cli", "management"}:
        assert all(layer(target) != "daemon" for target in ours(name))


@pytest.mark.parametrize("name", sorted(n for n, p in MODULES.items() if p.name == "__init__.py"))
def test_packages_hold_a_docstring_and_names_alone(name):
    tree = ast.parse(MODULES[name].read_text())
    for node in tree.body:
        docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        dunder = isinstance(node, ast.Assign | ast.AnnAssign)
        assert docstring or dunder, f"line {node.lineno}"


def test_no_module_imports_the_global_reactor():
    for name, targets in IMPORTS.items():
        if layer(name) not in {"daemon", "cli"}:
            assert "twisted.internet.reactor" not in targets, name
            source = MODULES[name].read_text()
            assert "from twisted.internet import reactor" not in source, name


def test_no_cycles():
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join((*path[path.index(name) :], name))
        if name in done:
            return
        # Imports for types alone or inside functions make no cycle when modules are loaded.
        for target in sorted(imports(TREES[name].body)):
            if target in MODULES and target != PACKAGE:
                visit(target, (*path, name))
        done.add(name)

    for name in MODULES:
        visit(name, ())
