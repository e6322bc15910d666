"""Sphinx: the guide, the references woven in, and the manual as mandoc renders it."""

import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from corosync_tw import __version__  # noqa: E402

MAN = ROOT / "man"
# mandoc links to pages that it finds where it runs, and for others to this place.
LINKS = "%N.%S.html;https://manpages.debian.org/%N.%S"
SECTIONS = {"5": "Files", "7": "Overviews", "8": "Programs"}

project = "corosync_tw"
project_copyright = "the corosync_tw authors. BSD licence, three clauses"
release = version = __version__

exclude_patterns = ["_build"]
nitpicky = True
html_theme = "furo"
html_title = "corosync_tw"
html_static_path = ["static"]
html_css_files = ["manual.css"]
html_show_sphinx = False
html_copy_source = False
highlight_language = "none"
pygments_style = "friendly"
pygments_dark_style = "native"


def setup(app: Any) -> None:
    """Have the manual rendered before documents are read."""
    app.connect("builder-inited", render_manual)


def render_manual(app: Any) -> None:
    """Make a document of each page of the manual."""
    mandoc = shutil.which("mandoc")
    if mandoc is None:
        raise RuntimeError("mandoc is missing: `make deps` installs it")
    target = Path(app.srcdir) / "man"
    target.mkdir(exist_ok=True)
    runpy.run_path(str(ROOT / "ci" / "deviations_page.py"))["main"]()
    pages = sorted(MAN.glob("*.[1-9]"))
    for page in pages:
        (target / f"{page.name}.html").touch()
    for page in pages:
        command = [mandoc, "-Thtml", "-O", f"fragment,man={LINKS}", str(page)]
        made = subprocess.run(command, cwd=target, capture_output=True, text=True, check=True)
        write(target / f"{page.name}.html", below_the_title(made.stdout))
        write(target / f"{page.name}.rst", document(page.name))
    write(target / "index.rst", index([page.name for page in pages]))


def below_the_title(html: str) -> str:
    """
    Let headings of a page stand below that of its document.

    Its first line goes, which says the same, and so do descriptions without words.
    """
    html = re.sub(r'<table class="head">.*?</table>', "", html, flags=re.DOTALL)
    html = re.sub(r"<dd[^>]*>(?:&#x00A0;|\s)*</dd>", "", html)
    html = re.sub(r"(</?)h2\b", r"\1h3", html)
    return re.sub(r"(</?)h1\b", r"\1h2", html)


def document(name: str) -> str:
    """Write a document that holds a rendered page."""
    title = "{}({})".format(*name.rsplit(".", 1))
    return f"{title}\n{'=' * len(title)}\n\n.. raw:: html\n   :file: {name}.html\n"


def index(names: list[str]) -> str:
    """Write the list of all pages, by section."""
    text = "Manual\n======\n\nThe pages that ``man`` shows where the package is installed.\n"
    for section, title in SECTIONS.items():
        entries = "".join(f"   {name}\n" for name in names if name.endswith(f".{section}"))
        text += f"\n.. toctree::\n   :maxdepth: 1\n   :caption: {title}\n\n{entries}"
    return text


def write(path: Path, text: str) -> None:
    """Write a file unless it says so already: what is unchanged is not read again."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
