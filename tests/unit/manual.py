"""Pages of the manual as tests read them: what they say exists."""

import re
from pathlib import Path

MAN = Path(__file__).resolve().parents[2] / "man"
# Made when the package is built.
DEVIATIONS = "corosync_tw_deviations.7"
PAGES = sorted(path for path in MAN.glob("*.[1-9]") if path.name != DEVIATIONS)
# Words in capitals of a key's name stand for something else.
_STANDS_FOR = re.compile(r"[A-Z]+")


def lines(page):
    return (MAN / page).read_text(encoding="utf-8").splitlines()


def flags(line):
    """Names behind the macro Fl, as they are typed: ``-x``, ``--long``."""
    found, in_flags = [], False
    for word in line.split():
        if word == "Fl":
            in_flags = True
        elif re.fullmatch(r"[A-Z][a-z]", word):
            in_flags = False
        elif in_flags and re.fullmatch(r"-?[\w-]+", word):
            found.append(f"-{word}")
    return found


def described_options(page):
    """Options that have an item of their own."""
    return {name for line in lines(page) if line.startswith(".It Fl ") for name in flags(line)}


def synopsis_options(page):
    """Options of the synopsis; single letters may stand together there."""
    found, inside = set(), False
    for line in lines(page):
        if line.startswith(".Sh "):
            inside = line == ".Sh SYNOPSIS"
        elif inside:
            for name in flags(line.replace(" | ", " ")):
                found |= {name} if name.startswith("--") else {f"-{one}" for one in name[1:]}
    return found


def directives():
    """Directives by the section under which corosync.conf.5 has them, with what it says there."""
    found, section, names = {}, "", []
    for line in lines("corosync.conf.5"):
        if line.startswith((".Ss ", ".Sh ")):
            section, names = line[4:], []
        elif line.startswith(".It Ic "):
            if not names or found[names[0]]:
                names = []
            names += [f"{section}.{word}" for word in line[7:].split(" , ")]
            found.update(dict.fromkeys(names, ""))
        else:
            for name in names:
                found[name] += line + "\n"
    return found


def key_names():
    """Keys of corosync_tw_cmap_keys.7, as they are written there."""
    return [
        word
        for line in lines("corosync_tw_cmap_keys.7")
        if line.startswith(".It Va ")
        for word in line[7:].split(" , ")
    ]


def key_patterns():
    """Those keys, with regular expressions of what they stand for."""
    return {
        name: re.compile(_STANDS_FOR.sub("[^.]+", re.escape(name).replace(r"\_", "_")))
        for name in key_names()
    }
