"""
Check the spelling of the manual, the documents and the news, with aspell and a list of our words.

Only prose is looked at: of pages of the manual, lines that are no macros; of documents, what is
neither literal nor a directive. ``python ci/spelling.py`` exits with 1 and names file and word; a
word that is right goes into ci/words.txt.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
WORDS: Final = ROOT / "ci" / "words.txt"
PROSE: Final = ("README.md", "docs/*.rst", "docs/guide/*.rst", "man/*.[1-9]", "newsfragments/*.rst")
# Of these a word needs to be in one.
DICTIONARIES: Final = ("en_GB-ise", "en_GB-ize")

_NO_PROSE: Final = re.compile(
    r"```.*?```"  # blocks of Markdown
    r"|``.+?``|`[^`\n]*`_*"  # literals and references
    r"|:[a-z-]+:`[^`]*`"  # roles
    r"|<[^>\n]*>|https?://\S+"
    r"|\S*[/_\\=@#0-9]\S*"  # paths, identifiers, numbers
    r"|\S+\.(?:rst|py|md|conf|cfg|txt)\b",
    re.DOTALL,
)
_WORD: Final = re.compile(r"[A-Za-z][A-Za-z']*")


def prose_of(path: Path) -> str:
    """Leave out of a file what is not prose."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".rst":
        text = "\n".join(_unindented(text.splitlines()))
    elif path.suffix == ".md":
        text = re.sub(r"^    .*$", "", text, flags=re.M)
    else:
        text = "\n".join(_running(text.splitlines()))
    return _NO_PROSE.sub(" ", text)


def _unindented(lines: list[str]) -> Iterator[str]:
    """Leave out directives, and blocks behind a double colon."""
    block = None
    for line in lines:
        indent = len(line) - len(line.lstrip())
        if block is not None and line.strip() and indent <= block:
            block = None
        if block is not None:
            continue
        if line.lstrip().startswith(".. ") or line.rstrip().endswith("::"):
            block = indent
            continue
        yield line


def _running(lines: list[str]) -> Iterator[str]:
    """Leave out macros of a page, and what is displayed."""
    displayed = False
    for line in lines:
        displayed = line.startswith(".Bd") or (displayed and not line.startswith(".Ed"))
        if line.startswith(".Nd "):
            yield line[4:]
        elif not line.startswith(".") and not displayed:
            yield line.replace("\\&", "")


def unknown(words: set[str]) -> set[str]:
    """Give those words that no dictionary has."""
    aspell = shutil.which("aspell")
    if aspell is None:
        raise SystemExit("spelling: aspell is missing: `make deps` installs it")
    left = words
    for dictionary in DICTIONARIES:
        asked = subprocess.run(
            [aspell, "-d", dictionary, "--encoding=utf-8", "list"],
            input="\n".join(sorted(left)), capture_output=True, text=True, check=True,
        )  # fmt: skip
        left = set(asked.stdout.split())
    return left


def main() -> int:
    """Check; give the exit code."""
    known = set(WORDS.read_text(encoding="utf-8").split())
    places: dict[str, str] = {}
    for pattern in PROSE:
        for path in sorted(ROOT.glob(pattern)):
            for word in _WORD.findall(prose_of(path)):
                plain = word.strip("'").removesuffix("'s")
                if plain not in known:
                    places.setdefault(plain, str(path.relative_to(ROOT)))
    wrong = unknown(set(places))
    for word in sorted(wrong):
        print(f"spelling: {places[word]}: {word}", file=sys.stderr)
    if not wrong:
        print(f"spelling: {len(places) + len(known)} words, all known")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
