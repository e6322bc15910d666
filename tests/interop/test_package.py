"""
The package as others get it: a source distribution, a wheel of it, an installation elsewhere.

Setuptools, Cython and what the daemon imports come from the environment of the tests, so that no
index is asked.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
KERNELS = sorted(path.stem for path in ROOT.glob("corosync_tw/kernels/compiled/*.pyx"))
TREE = (
    *("ci", "conf", "corosync_tw", "docs", "man", "twisted"),
    *("LICENSE", "MANIFEST.in", "README.md", "pyproject.toml", "setup.cfg", "setup.py"),
)
EXAMPLES = {str(path.relative_to(ROOT)) for path in ROOT.glob("conf/**/*") if path.is_file()}
BESIDE_MODULES = {
    "corosync_tw/dissect/dissector.lua",
    "corosync_tw/py.typed",
    "twisted/plugins/corosync_tw_plugin.py",
}
MANUAL = {path.name for path in ROOT.glob("man/*.[1-9]")} | {"corosync_tw_deviations.7"}
BUILD = "import sys; from setuptools import build_meta as b; print(getattr(b, sys.argv[1])('.'))"
TWISTD = "from twisted.scripts.twistd import run; run()"
SIMULATE = ("-m", "corosync_tw.sim", "--seed", "1", "--nodes", "3")


def build(hook: str, tree: Path, **environ: str) -> tuple[Path, str]:
    """Call a hook of the build back end in a tree; the file that it made, and what it said."""
    made = subprocess.run(
        [sys.executable, "-c", BUILD, hook],
        cwd=tree, env={**os.environ, **environ}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return tree / made.stdout.splitlines()[-1], made.stdout


def unpack(sdist: Path, into: Path) -> Path:
    with tarfile.open(sdist) as archive:
        archive.extractall(into, filter="data")
    (tree,) = into.iterdir()
    return tree


def install(wheel: Path, into: Path) -> Path:
    """Make an environment that holds this wheel alone; what it needs is borrowed."""
    venv.create(into, with_pip=False)
    python = into / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python)]
    subprocess.run([*pip, "install", "--quiet", "--no-index", "--no-deps", wheel], check=True)
    (site,) = into.glob("lib/python*/site-packages")
    (site / "borrowed.pth").write_text(sysconfig.get_path("platlib") + "\n")
    return python


def run(python: Path, *args: str, kernels: str = "") -> str:
    environ = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    ran = subprocess.run(
        [python, *args],
        cwd=python.parent, env={**environ, "COROSYNC_TW_KERNELS": kernels},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return ran.stdout


def history(python: Path, kernels: str) -> str:
    """What came to pass in a simulated ring, in one number."""
    said = run(python, *SIMULATE, kernels=kernels)
    assert "no violation" in said
    (line,) = [line for line in said.splitlines() if line.startswith("trace hash")]
    return line


@pytest.fixture(scope="module")
def sdist(tmp_path_factory):
    tree = tmp_path_factory.mktemp("tree")
    built = shutil.ignore_patterns("__pycache__", "_build", "*.so", "*.c", "*.html")
    for name in TREE:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tree / name, ignore=built)
        else:
            shutil.copy(source, tree)
    return build("build_sdist", tree)[0]


def contents(tree: Path) -> dict[str, bytes]:
    files = (path for path in tree.rglob("*") if path.is_file())
    return {str(path.relative_to(tree)): path.read_bytes() for path in files}


def test_a_source_distribution_makes_itself_again(sdist, tmp_path):
    first = unpack(sdist, tmp_path / "first")
    before = contents(first)
    again, _ = build("build_sdist", first)
    assert contents(unpack(again, tmp_path / "again")) == before
    assert before.keys() >= EXAMPLES


def test_a_wheel_of_the_sources_runs_with_either_twin(sdist, tmp_path):
    tree = unpack(sdist, tmp_path / "sources")
    wheel, _ = build("build_wheel", tree)
    names = zipfile.ZipFile(wheel).namelist()
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    compiled = {f"corosync_tw/kernels/compiled/{name}{suffix}" for name in KERNELS}
    assert compiled == {name for name in names if name.endswith(suffix)}
    assert not [name for name in names if name.endswith((".pyx", ".c"))]
    pages = {path.name for path in map(Path, names) if "/share/man/man" in str(path)}
    assert pages == MANUAL
    assert set(names) >= BESIDE_MODULES
    installed = {name.partition("/share/corosync_tw/")[2] for name in names}
    assert installed >= EXAMPLES

    python = install(wheel, tmp_path / "installed")
    assert (tmp_path / "installed" / "share/man/man5/corosync.conf.5").is_file()
    demo = run(python, "-c", "from corosync_tw.cli.demo import conf_dir; print(conf_dir())")
    assert Path(demo.strip()) == tmp_path / "installed" / "share/corosync_tw/conf/demo"
    where = run(python, "-c", "import corosync_tw.kernels as k; print(k.__file__)")
    assert Path(where).is_relative_to(tmp_path)
    version = run(python.with_name("corosync-tw"), "--version")
    assert version.endswith("kernels: compiled\n")
    assert "    corosync " in run(python, "-c", TWISTD, "--help")
    assert history(python, "plain") == history(python, "compiled")


def test_without_a_compiler_the_plain_twins_run(sdist, tmp_path):
    tree = unpack(sdist, tmp_path / "sources")
    wheel, said = build("build_wheel", tree, CC="/nonexistent/cc")
    lines = [line for line in said.splitlines() if line.startswith("kernels were not compiled")]
    assert len(lines) == 1
    assert not [name for name in zipfile.ZipFile(wheel).namelist() if name.endswith(".so")]
    python = install(wheel, tmp_path / "installed")
    version = run(python.with_name("corosync-tw"), "--version")
    assert "kernels: plain" in version
