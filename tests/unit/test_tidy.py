"""The tree itself: lengths that only shrink, no machine's paths, fragments that towncrier takes."""

import re
import subprocess
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODULE_LINES_MAX = {"corosync_tw": 400, "bench": 400, "tests": 700}
# Longer ones as they stand; figures only go down.
KNOWN_LONG: dict[str, int] = {}
FRAGMENT = re.compile(r"^(\d+|\+[a-z-]+)(\.[a-z0-9-]+)?\.(feature|bugfix|doc|removal|misc)\.rst$")
BUILT = re.compile(r"(^|/)(\.|__pycache__/|build/|dist/|var/|[^/]*\.egg-info/|bench/results/)")
# Spelled in two halves, so that this file does not find itself.
FOREIGN_PATHS = re.compile(r"(^|[^A-Za-z0-9_.])/(wo" + r"rk|fa" + r"rm|ro" + r"ot)/")
UNFINISHED = re.compile(
    "NotImplemented" + "Error|TO" + "DO|FIX" + "ME|XX" + "X|not implemen" + "ted"
)


def tracked(*patterns: str) -> list[Path]:
    """Files of the repository; of a tree without one, or without git, all that was not built."""
    command = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", *patterns]
    with suppress(FileNotFoundError):
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if listed.returncode == 0:
            names = listed.stdout.split("\0")
            return [ROOT / name for name in names if name and (ROOT / name).is_file()]
    return [
        path
        for pattern in patterns or ("**/*",)
        for path in ROOT.glob(pattern.replace("/*.", "/**/*."))
        if path.is_file() and not BUILT.search(path.relative_to(ROOT).as_posix())
    ]


def texts(*patterns: str) -> list[tuple[Path, str]]:
    found = []
    for path in tracked(*patterns):
        data = path.read_bytes()
        if b"\0" not in data[:8000]:
            found.append((path, data.decode(errors="replace")))
    return found


def test_modules_hold_one_idea():
    assert long_modules() == KNOWN_LONG, "shorter is welcome: lower the figure here"


def long_modules() -> dict[str, int]:
    found = {}
    for path, text in texts("corosync_tw/*.py", "tests/*.py", "bench/*.py"):
        name, lines = path.relative_to(ROOT), len(text.splitlines())
        if lines > MODULE_LINES_MAX[name.parts[0]]:
            found[name.as_posix()] = lines
    return found


def test_no_paths_of_one_machine():
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path, text in texts()
        for number, line in enumerate(text.splitlines(), 1)
        if FOREIGN_PATHS.search(line)
    ]
    assert not found


def test_nothing_is_unfinished_by_its_own_words():
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path, text in texts("corosync_tw/*.py", "README.md", "docs/*", "man/*", "conf/*")
        for number, line in enumerate(text.splitlines(), 1)
        if UNFINISHED.search(line)
    ]
    assert not found


def test_fragments_have_an_issue_and_a_type():
    for path in tracked("newsfragments/*"):
        if path.name != ".gitignore":
            assert FRAGMENT.match(path.name), path.name
            assert path.read_text().strip(), f"{path.name} is empty"


def test_commands_are_named_in_the_readme():
    readme = (ROOT / "README.md").read_text()
    assert "make run" in readme
    assert "make test" in readme


def test_every_package_is_listed_in_setup_cfg():
    setup_cfg = (ROOT / "setup.cfg").read_text()
    listed = set(re.findall(r"^    (corosync_tw[\w.]*)$", setup_cfg, re.MULTILINE))
    present = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for path in (ROOT / "corosync_tw").rglob("__init__.py")
    }
    assert present == listed


def test_deviations_are_listed():
    listed = (ROOT / "docs" / "deviations.rst").read_text()
    missing = [
        path.relative_to(ROOT / "corosync_tw").as_posix()
        for path, text in texts("corosync_tw/*.py")
        if re.search(r"^ *Deviations?: (?!none)", text, re.MULTILINE)
        and path.relative_to(ROOT / "corosync_tw").as_posix() not in listed
    ]
    assert not missing
