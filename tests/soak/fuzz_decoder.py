"""
Feed millions of mutated frames to the Totem codec and to totempg.

    python -m tests.soak.fuzz_decoder [--frames N] [--seed S] [--jobs J] [--chunk C]

The same seed gives the same frames whatever the number of jobs. Ends with 1 at the first frame that
escapes, after showing how to repeat it.
"""

import argparse
import multiprocessing
import os
import sys
import time
from collections import Counter
from functools import partial

from tests.unit.totem.fuzzing import EscapeError, run_chunk

CHUNK_FRAMES = 20_000
BAR_WIDTH = 30
# Seconds between two drawings of the bar where nobody looks on.
PLAIN_INTERVAL_S = 30.0


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Feed mutated frames to the Totem codec.")
    parser.add_argument("--frames", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "little"))
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--chunk", type=int, help="repeat this one chunk alone")
    options = parser.parse_args(argv)
    print(f"fuzz_decoder: --frames {options.frames} --seed {options.seed} --jobs {options.jobs}")
    return repeat(options) if options.chunk is not None else campaign(options)


def repeat(options: argparse.Namespace) -> int:
    """Run one chunk in this process and let an escape's traceback through."""
    summary(run_chunk(options.seed, options.chunk, CHUNK_FRAMES), CHUNK_FRAMES, 0.0)
    return 0


def campaign(options: argparse.Namespace) -> int:
    """Run all chunks."""
    chunks = -(-options.frames // CHUNK_FRAMES)
    total = chunks * CHUNK_FRAMES
    tally: Counter[str] = Counter()
    bar = ProgressBar(total)
    with multiprocessing.Pool(options.jobs) as pool:
        work = partial(attempt, options.seed)
        for done, (chunk, counts, escape) in enumerate(
            pool.imap_unordered(work, range(chunks)), start=1
        ):
            if escape is not None:
                bar.end()
                report(options.seed, chunk, *escape)
                return 1
            tally.update(counts)
            bar.show(done * CHUNK_FRAMES)
    bar.end()
    summary(tally, total, bar.elapsed_s())
    return 0


def attempt(seed: int, chunk: int) -> tuple[int, Counter[str], tuple[str, str] | None]:
    """Run a chunk in a worker; an escape comes back as a value."""
    try:
        return chunk, run_chunk(seed, chunk, CHUNK_FRAMES), None
    except EscapeError as error:
        reason, frame = error.args
        return chunk, Counter(), (reason, frame.hex())


class ProgressBar:
    """A bar on a terminal; a line now and then elsewhere."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._started = time.monotonic()
        self._shown = self._started
        self._terminal = sys.stderr.isatty()

    def elapsed_s(self) -> float:
        return time.monotonic() - self._started

    def show(self, done: int) -> None:
        now = time.monotonic()
        if now - self._shown < (0.2 if self._terminal else PLAIN_INTERVAL_S):
            return
        self._shown = now
        rate = done / self.elapsed_s()
        left_s = (self._total - done) / rate
        filled = BAR_WIDTH * done // self._total
        bar = "#" * filled + "." * (BAR_WIDTH - filled)
        line = f"[{bar}] {done:,}/{self._total:,} frames  {rate:,.0f}/s  {left_s:,.0f} s left"
        print(
            f"\r{line} " if self._terminal else line,
            end="" if self._terminal else "\n",
            file=sys.stderr,
            flush=True,
        )

    def end(self) -> None:
        if self._terminal:
            print(file=sys.stderr)


def report(seed: int, chunk: int, reason: str, frame: str) -> None:
    """Show an escape."""
    print(f"ESCAPE in chunk {chunk}: {reason}")
    print(f"  frame: {frame}")
    print(f"  again: python -m tests.soak.fuzz_decoder --seed {seed} --chunk {chunk}")


def summary(tally: Counter[str], frames: int, elapsed_s: float) -> None:
    """Print what became of the frames."""
    for what, count in sorted(tally.items(), key=lambda item: -item[1]):
        print(f"{count:>12,}  {what}")
    rate = f" in {elapsed_s:.1f} s ({frames / elapsed_s:,.0f}/s)" if elapsed_s else ""
    print(f"{frames:,} mutated frames{rate}, 0 escapes")


if __name__ == "__main__":
    sys.exit(main())
