"""
Check the licences of everything that this package needs, directly or not, as installed.

Ours is the BSD licence of three clauses: what a program imports has to let it be used and passed on
under that. What is not installed is not known, and is a failure but for the extras in OPTIONAL.
``python ci/licences.py`` prints a table with --list; it exits with 1 when a licence does not fit.
"""

import configparser
import re
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT: Final = Path(__file__).resolve().parents[1]

# By their SPDX names. MPL-2.0 binds changes to its own files alone.
COMPATIBLE: Final = frozenset(
    {
        "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "HPND", "ISC",
        "LLVM-exception", "MIT", "MIT-0", "MIT-CMU", "MPL-2.0", "PSF-2.0", "Python-2.0",
        "Unlicense", "Zlib", "ZPL-2.1",
    }
)  # fmt: skip
# What packages write that name their licence in words of their own.
SPELT: Final = {
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "apache-2.0 license": "Apache-2.0",
    "bsd": "BSD-3-Clause",
    "bsd 3-clause": "BSD-3-Clause",
    "bsd license": "BSD-3-Clause",
    "bsd-3-clause license": "BSD-3-Clause",
    "historical permission notice and disclaimer (hpnd)": "HPND",
    "isc license (iscl)": "ISC",
    "mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "psf": "PSF-2.0",
    "python software foundation license": "PSF-2.0",
    "the mit license": "MIT",
    "zope public license": "ZPL-2.1",
    "zpl 2.1": "ZPL-2.1",
}
# Extras that few machines can install.
OPTIONAL: Final = frozenset({"iba"})
OURS: Final = "corosync-tw"


def wanted() -> Iterator[tuple[Requirement, bool]]:
    """Read what setup.cfg asks for, and whether it may be absent."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    groups = {"": setup["options"]["install_requires"], **setup["options.extras_require"]}
    for extra, lines in groups.items():
        for line in filter(None, lines.splitlines()):
            yield Requirement(line), extra in OPTIONAL


def needed() -> tuple[dict[str, Distribution], list[str]]:
    """Follow the requirements: all installed distributions, and names of those that lack."""
    found: dict[str, Distribution] = {}
    missing: list[str] = []
    waiting = list(wanted())
    while waiting:
        requirement, optional = waiting.pop()
        name = canonicalize_name(requirement.name)
        extras = requirement.extras or {""}
        marker = requirement.marker
        if name in found or name == OURS:
            continue
        if marker is not None and not any(marker.evaluate({"extra": one}) for one in extras):
            continue
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:
            if not optional:
                missing.append(name)
            continue
        lines = (Requirement(line) for line in found[name].requires or ())
        waiting += [
            (line, optional)
            for line in lines
            if line.marker is None or any(line.marker.evaluate({"extra": one}) for one in extras)
        ]
    return found, missing


def licence_of(package: Distribution) -> str:
    """Name the licence of a distribution, as SPDX does where that can be told; empty if unknown."""
    metadata = package.metadata
    # Where there is one it is the last word; what a package writes else names choices or parts.
    if expression := metadata.get("License-Expression"):
        return spelt(expression)
    said = [
        line.rpartition(" :: ")[2]
        for line in metadata.get_all("Classifier") or ()
        if line.startswith("License ::") and not line.endswith("OSI Approved")
    ]
    # Some put the whole text there.
    said.append((metadata.get("License") or "").strip().partition("\n")[0])
    known = [spelt(text) for text in said if text]
    return next((text for text in known if fits(text)), known[0] if known else "")


def spelt(text: str) -> str:
    """Give the name of a licence."""
    return SPELT.get(text.strip().lower(), text.strip())


def fits(expression: str) -> bool:
    """Tell whether one of the choices that an expression leaves is made of licences that fit."""
    choices = re.split(
        r"\s+or\s+|\s*/\s*", expression.replace("(", " ").replace(")", " "), flags=re.I
    )
    return any(
        all(
            spelt(part) in COMPATIBLE
            for part in re.split(r"\s+(?:and|with)\s+", choice, flags=re.I)
        )
        for choice in choices
    )


def faults(packages: Iterable[Distribution], missing: Iterable[str]) -> Iterator[str]:
    """Say what is wrong, a line each, with what to do."""
    for name in missing:
        yield f"{name}: is not installed, so that its licence is not known; `make lint` installs it"
    for package in packages:
        licence = licence_of(package)
        if not fits(licence):
            yield (
                f"{package.metadata['Name']} {package.version}: {licence or 'names no licence'}, "
                "which is not known to be compatible with BSD-3-Clause; drop the package, or add "
                "the licence to COMPATIBLE or SPELT of ci/licences.py if it is"
            )


def main() -> int:
    """Check; give the exit code."""
    found, missing = needed()
    if "--list" in sys.argv[1:]:
        for name, package in sorted(found.items()):
            print(f"{name:24} {package.version:12} {licence_of(package)}")
    wrong = list(faults(found.values(), missing))
    for line in wrong:
        print(f"licence: {line}", file=sys.stderr)
    if not wrong:
        print(f"licences: {len(found)} packages, all compatible with BSD-3-Clause")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
