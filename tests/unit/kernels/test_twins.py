"""Each kernel has a plain and a compiled twin with the same names and signatures, and a chooser."""

import ast
import inspect
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from corosync_tw.features import is_off
from corosync_tw.kernels import choice

KERNELS = Path(choice.__file__).parent
NAMES = sorted({path.stem for path in KERNELS.glob("plain/*.py")} - {"__init__"})


def public(module) -> dict[str, inspect.Signature]:
    """Functions that the module defines; Cython's are not what inspect.isfunction knows."""
    return {
        name: bare(inspect.signature(value))
        for name, value in vars(module).items()
        if not name.startswith("_")
        and callable(value)
        and getattr(value, "__module__", "") == module.__name__
    }


def bare(signature: inspect.Signature) -> inspect.Signature:
    """Names, kinds and defaults; C types are the compiled twin's business."""
    return inspect.Signature(
        [
            parameter.replace(annotation=inspect.Parameter.empty)
            for parameter in signature.parameters.values()
        ]
    )


def under(kernels: str, code: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, choice.VARIABLE: kernels},
        cwd=KERNELS.parents[1],
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_kernel_is_three_files():
    compiled = {path.stem for path in KERNELS.glob("compiled/*.pyx")}
    choosers = {path.stem for path in KERNELS.glob("*.py")} - {"__init__", "choice"}
    assert compiled == set(NAMES)
    assert choosers == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_twins_have_the_same_names_and_signatures(name):
    plain = public(import_module(f"corosync_tw.kernels.plain.{name}"))
    compiled = public(import_module(f"corosync_tw.kernels.compiled.{name}"))  # by: make kernels
    assert plain
    assert plain == compiled


@pytest.mark.parametrize("name", NAMES)
def test_choosers_choose_and_do_nothing_else(name):
    """One if-statement imports the same names of either twin, all functions among them."""
    docstring, *body = ast.parse((KERNELS / f"{name}.py").read_text()).body
    assert isinstance(docstring, ast.Expr)
    (choose,) = [node for node in body if isinstance(node, ast.If)]
    assert ast.unparse(choose.test) == "TYPE_CHECKING or not COMPILED"
    for node in body:
        exported = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
        assert node is choose or exported or isinstance(node, ast.ImportFrom), ast.unparse(node)
    plain, compiled = (names_of(branch, name) for branch in (choose.body, choose.orelse))
    assert plain["plain"] == compiled["compiled"]
    module = import_module(f"corosync_tw.kernels.plain.{name}")
    assert set(public(module)) <= plain["plain"] <= set(vars(module))


def names_of(branch: list[ast.stmt], kernel: str) -> dict[str, set[str]]:
    (node,) = branch
    assert isinstance(node, ast.ImportFrom)
    twin, _, name = str(node.module).removeprefix("corosync_tw.kernels.").partition(".")
    assert name == kernel
    assert all(alias.asname in {None, alias.name} for alias in node.names)
    return {twin: {alias.name for alias in node.names}}


def test_the_environment_chooses():
    code = "from corosync_tw.kernels.choice import COMPILED, description as d; print(COMPILED, d())"
    assert under("plain", code).stdout == "False plain (COROSYNC_TW_KERNELS=plain)\n"
    assert under("compiled", code).stdout == "True compiled\n"
    refused = under("fast", code)
    assert refused.returncode
    assert "plain, compiled, or unset" in refused.stderr


def test_the_run_uses_the_kernels_that_it_asked_for():
    wanted = os.environ.get(choice.VARIABLE, "")
    if wanted or "CI" in os.environ:
        plain = wanted == "plain" or (not wanted and is_off("kernels"))
        assert plain != choice.COMPILED, choice.WHY_PLAIN


def test_the_twins_import_nothing_of_ours():
    for path in (*KERNELS.glob("compiled/*.pyx"), *KERNELS.glob("compiled/*.pxd")):
        words = [line.split() for line in path.read_text().splitlines()]
        imported = {line[1] for line in words if line[:1] in (["import"], ["cimport"], ["from"])}
        for module in imported:
            top = module.partition(".")[0]
            assert top in {"libc", "cpython", "cython"} | sys.stdlib_module_names, path.name
    for path in KERNELS.glob("plain/*.py"):
        assert "corosync_tw" not in path.read_text(), path.name
