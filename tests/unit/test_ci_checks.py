"""The checks of licences and of spelling find what they are for; documents name what is needed."""

import re
from email.message import Message
from importlib import import_module
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def licences(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "ci")
    return import_module("licences")


@pytest.fixture
def spelling(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "ci")
    return import_module("spelling")


class Package:
    version = "1.0"

    def __init__(self, *headers):
        self.metadata = Message()
        self.metadata["Name"] = "thing"
        for name, value in headers:
            self.metadata[name] = value


@pytest.mark.parametrize(
    "expression",
    [
        "MIT",
        "Apache-2.0 OR BSD-3-Clause",
        "GPL-3.0-only OR MIT",
        "(MIT AND PSF-2.0)",
        "Apache-2.0 WITH LLVM-exception",
        "BSD License",
    ],
)
def test_licences_that_fit(licences, expression):
    assert licences.fits(expression)


@pytest.mark.parametrize(
    "expression", ["", "GPL-3.0-only", "MIT AND GPL-2.0-only", "LGPLv2+", "Proprietary"]
)
def test_licences_that_do_not_fit(licences, expression):
    assert not licences.fits(expression)


@pytest.mark.parametrize(
    ("headers", "licence"),
    [
        ([("License-Expression", "MIT")], "MIT"),
        (
            [
                ("License-Expression", "GPL-3.0-only"),
                ("Classifier", "License :: OSI Approved :: MIT License"),
            ],
            "GPL-3.0-only",
        ),
        ([("License", "The MIT License\n\nPermission is granted")], "MIT"),
        (
            [
                ("License", "see the file"),
                ("Classifier", "License :: OSI Approved"),
                ("Classifier", "License :: OSI Approved :: BSD License"),
            ],
            "BSD-3-Clause",
        ),
        ([("Classifier", "Programming Language :: C")], ""),
    ],
)
def test_where_packages_say_it(licences, headers, licence):
    assert licences.licence_of(Package(*headers)) == licence


def test_a_licence_that_does_not_fit_is_told_with_a_remedy(licences):
    packages = [Package(("License", "GPL")), Package(("License-Expression", "MIT")), Package()]
    first, second, third = licences.faults(packages, ["absent"])
    assert (
        first
        == "absent: is not installed, so that its licence is not known; `make lint` installs it"
    )
    assert second.startswith(
        "thing 1.0: GPL, which is not known to be compatible with BSD-3-Clause;"
    )
    assert third.startswith("thing 1.0: names no licence, which is not known")


def test_all_requirements_are_looked_at(licences):
    names = {requirement.name for requirement, _ in licences.wanted()}
    assert {"twisted", "cryptography", "sphinx", "mypy", "lz4", "pyverbs", "corosync_tw"} <= names
    found, _ = licences.needed()
    # Of a requirement of a requirement.
    assert {"twisted", "constantly", "pycparser"} <= set(found)


@pytest.mark.parametrize(("optional", "missing"), [(False, ["absent"]), (True, [])])
def test_what_a_requirement_needs_is_missed_as_the_requirement_is(
    licences, monkeypatch, optional, missing
):
    thing = Package(("License-Expression", "MIT"))
    thing.requires = ["absent", 'of-windows; sys_platform == "win32"']

    def distribution(name):
        if name != "thing":
            raise PackageNotFoundError(name)
        return thing

    monkeypatch.setattr(licences, "distribution", distribution)
    monkeypatch.setattr(licences, "wanted", lambda: [(Requirement("thing"), optional)])
    assert licences.needed() == ({"thing": thing}, missing)


def test_the_document_of_dependencies_names_each_and_no_other(licences):
    text = (ROOT / "docs" / "dependencies.rst").read_text(encoding="utf-8").lower()
    words = set(re.findall(r"[a-z0-9][\w.-]*[a-z0-9]", text))
    names = {requirement.name.lower() for requirement, _ in licences.wanted()} - {"corosync_tw"}
    assert sorted(names - words) == [], (
        "name these in docs/dependencies.rst, with reason and licence"
    )
    table = text.partition("to run")[2].partition("extra ``")[0]
    rows = re.findall(r"^([a-z]\S*) {2,}\S", table, re.MULTILINE)
    setup = (ROOT / "setup.cfg").read_text(encoding="utf-8")
    required = re.findall(
        r"^    ([\w.]+)", setup.partition("install_requires =")[2].partition("[")[0], re.MULTILINE
    )
    assert sorted(row for row in rows if row != "package") == sorted(required)
    extras = set(re.findall(r"extra ``(\w+)``", text)) | {"test"}
    optional = re.search(r"\[options\.extras_require\]\n(.*?)\n\n", setup, re.DOTALL)
    assert extras == set(re.findall(r"^(\w+) =", optional[1], re.MULTILINE))


# Spelling


def test_only_prose_is_spelt(spelling, tmp_path):
    document = tmp_path / "a.rst"
    document.write_text(
        "One ``twwo`` three::\n\n    foour\n\n.. note:: fiive\n\nsix `seeven`_ a/b\n"
    )
    assert spelling.prose_of(document).split() == ["six"]
    page = tmp_path / "a.8"
    page.write_text(".Nm naame\n.Nd what it is\nplain words\n.Bd -literal\nliiteral\n.Ed\n")
    assert spelling.prose_of(page).split() == ["what", "it", "is", "plain", "words"]


def test_words_are_known_by_either_spelling(spelling):
    assert spelling.unknown({"organise", "organize", "colour", "watchdog"}) == set()
    assert spelling.unknown({"color", "teh"}) == {"color", "teh"}


def test_our_words_are_sorted_and_unknown_elsewhere(spelling):
    words = spelling.WORDS.read_text(encoding="utf-8").split()
    assert words == sorted(set(words), key=lambda word: (word.lower(), word))
    assert spelling.unknown(set(words)) == set(words)
