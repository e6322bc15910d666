"""
Command lines as GNU getopt and getopt_long read them, with their complaints word for word.

Options are handed out one by one, since stock tools act on some of them at once: ``-h`` before a
wrong option prints the help.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence


class WrongOption(Exception):
    """An option that is not known or not complete; the complaint was printed on stderr."""


class Options:
    """
    An iterator over pairs of an option and its argument, which is empty for one that takes none.

    :ivar operands: what is left, in order; complete when the iteration is.
    """

    def __init__(
        self,
        program: str,
        argv: Sequence[str],
        short: str,
        long: Mapping[str, str] | None = None,
        *,
        own: Sequence[str] = (),
    ) -> None:
        """
        Read ``argv``, without the program's name.

        :param short: as for getopt: ``ab:`` knows -a and -b ARGUMENT.
        :param long: option by long name, as it is handed out; with a colon behind when it takes an
            argument. None: the tool knows no long options at all.
        :param own: long names that stock does not know, always known, and never abbreviated.
        """
        self._program = program
        self._waiting = list(argv)
        self._takes_argument = {
            letter: short[at + 1 : at + 2] == ":"
            for at, letter in enumerate(short)
            if letter != ":"
        }
        self._long = long
        self._own = frozenset(own)
        self.operands: list[str] = []

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """
        Hand out the options.

        Raises: WrongOption, from the iterator.
        """
        while self._waiting:
            word = self._waiting.pop(0)
            if word == "--":
                self.operands += self._waiting
                self._waiting = []
            elif word.startswith("--") and word[2:] in self._own:
                yield word[2:], ""
            elif word.startswith("--") and self._long is not None:
                yield self._long_option(word[2:], self._long)
            elif word.startswith("-") and word != "-":
                yield from self._cluster(word[1:])
            else:
                self.operands.append(word)

    def _cluster(self, letters: str) -> Iterator[tuple[str, str]]:
        for at, letter in enumerate(letters):
            takes_argument = self._takes_argument.get(letter)
            if takes_argument is None:
                raise self._wrong(f"invalid option -- '{letter}'")
            if not takes_argument:
                yield letter, ""
                continue
            rest = letters[at + 1 :]
            if not rest and not self._waiting:
                raise self._wrong(f"option requires an argument -- '{letter}'")
            yield letter, rest or self._waiting.pop(0)
            return

    def _long_option(self, text: str, known: Mapping[str, str]) -> tuple[str, str]:
        given, equals, argument = text.partition("=")
        name = self._unabbreviated(given, known)
        option, takes_argument = known[name].removesuffix(":"), known[name].endswith(":")
        if not takes_argument:
            if equals:
                raise self._wrong(f"option '--{name}' doesn't allow an argument")
            return option, ""
        if not equals:
            if not self._waiting:
                raise self._wrong(f"option '--{name}' requires an argument")
            argument = self._waiting.pop(0)
        return option, argument

    def _unabbreviated(self, given: str, known: Mapping[str, str]) -> str:
        if given in known:
            return given
        names = [name for name in known if name.startswith(given)]
        if not names:
            raise self._wrong(f"unrecognized option '--{given}'")
        if len({known[name] for name in names}) > 1:
            choice = " ".join(f"'--{name}'" for name in names)
            raise self._wrong(f"option '--{given}' is ambiguous; possibilities: {choice}")
        return names[0]

    def _wrong(self, complaint: str) -> WrongOption:
        print(f"{self._program}: {complaint}", file=sys.stderr)
        return WrongOption(complaint)


def number(text: str, least: int, most: int) -> int | None:
    """
    Read a whole decimal number as strtoll would; None when it is none or not in this range.

    Source: Corosync tools/util.c util_strtonum.
    """
    stripped = text.lstrip(" \t\n\v\f\r")
    digits = stripped[1:] if stripped[:1] in {"+", "-"} else stripped
    if not (digits.isascii() and digits.isdecimal()):
        return None
    value = int(stripped)
    return value if least <= value <= most else None
