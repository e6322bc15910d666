"""
A book to stream when there is no better one: plain English sentences from a small grammar.

The same seed gives the same book. Nobody wrote it, so everybody may have it.
"""

import textwrap
from collections.abc import Iterator
from random import Random
from typing import Final

from corosync_tw.prng import generator

CHAPTERS: Final = 45
PARAGRAPHS: Final = 14
LINE_LEN_CHARS: Final = 72

# A word in braces is replaced by one of its entries, until none is left.
_GRAMMAR: Final[dict[str, tuple[str, ...]]] = {
    "chapter": (
        "In which {person} waits for {thing}",
        "{place}, and what was found there",
        "How {person} lost {thing}",
        "The night of {weather}",
        "{person} keeps a promise",
        "News from {place}",
    ),
    "sentence": (
        "{when} {person} {did} {where}.",
        "{when} {person} {did}, and {person} {did} {where}.",
        "{person} {did} {where}, because {reason}.",
        "There was {weather} {where}, and {person} {did}.",
        "“{saying},” said {person}, “{saying}.”",
        "“{saying}?” asked {person}, who {did} {where}.",
        "{thing} stood {where}; {reason}, or so {person} believed.",
        "Nobody {where} could tell whether {person} {did} or not.",
        "If {reason}, then {person} would never have come {where}.",
    ),
    "when": (
        "That evening",
        "Long before the first boat",
        "At the third bell",
        "In the year of {weather}",
        "When the lamp was lit",
        "As often happens {where},",
        "On the morning after",
        "While the others slept",
    ),
    "person": (
        "the keeper of the light",
        "old Marit",
        "the pilot's daughter",
        "a clerk of the harbour",
        "Jonas the rope-maker",
        "the ferryman",
        "a woman in a grey coat",
        "the youngest of the three sisters",
        "the captain of the mail boat",
        "a man who counted waves",
    ),
    "did": (
        "counted the ships twice",
        "wrote the hour into the book",
        "carried {thing} down the stairs",
        "told the same story again",
        "passed {thing} to {person}",
        "waited for {weather} to end",
        "sent a letter to {place}",
        "forgot the name of {place}",
        "listened to {weather}",
        "asked for {thing}",
        "kept silent",
    ),
    "where": (
        "on the outer pier",
        "in the lamp room",
        "behind the fish market",
        "at the end of the ring road",
        "below the bridge",
        "in the kitchen of the inn",
        "between the two lighthouses",
        "on the road to {place}",
        "where the telegraph line comes ashore",
    ),
    "place": (
        "the Northern Skerries",
        "the town of three bells",
        "Saltholm",
        "the island without trees",
        "the old quarantine station",
        "Rosen Point",
    ),
    "thing": (
        "the brass key",
        "the log book",
        "a box of signal lamps",
        "the second lantern",
        "a chart of {place}",
        "the letter from {place}",
        "the great bell",
        "a clock that was never wrong",
    ),
    "weather": (
        "a storm from the west",
        "fog for eleven days",
        "the first snow",
        "a calm that nobody trusted",
        "the spring tide",
        "rain as fine as flour",
    ),
    "reason": (
        "the tide does not ask",
        "a light must be answered by a light",
        "every ship had been counted but one",
        "{person} had promised {thing}",
        "what one station knows, all must know",
        "the wind had turned",
        "the order of the bells is not a matter of taste",
    ),
    "saying": (
        "We shall hear the bell before we see the boat",
        "Whoever holds {thing} may speak",
        "It has gone round the whole ring and come back",
        "I have it in the same order as you",
        "One of us has fallen silent",
        "Count again, and begin with {place}",
        "Nothing was lost, it was only late",
        "They will be back before {weather}",
        "Then we are three again",
    ),
}


def book(seed: int = 1995) -> Iterator[str]:
    """Tell the book line by line, without line ends; about 430 kB."""
    random = generator(seed, "book")
    yield "THE KEEPERS OF THE RING"
    for chapter in range(1, CHAPTERS + 1):
        yield from ("", f"Chapter {chapter}. {_sentence(random, 'chapter')}", "")
        for _ in range(PARAGRAPHS):
            sentences = [_sentence(random, "sentence") for _ in range(random.randint(3, 8))]
            yield from textwrap.wrap(" ".join(sentences), LINE_LEN_CHARS)
            yield ""


def _sentence(random: Random, symbol: str) -> str:
    text = random.choice(_GRAMMAR[symbol])
    while "{" in text:
        before, _, rest = text.partition("{")
        name, _, after = rest.partition("}")
        text = before + random.choice(_GRAMMAR[name]) + after
    first = 1 if text[0] == "“" else 0
    return text[:first] + text[first].upper() + text[first + 1 :]
