"""Figures as text tables for people."""

import statistics
from itertools import groupby

from bench import figures as f
from bench.goals import BARE, verdicts
from bench.plan import GOAL_BED


def everything(figures):
    """Give one table a bed and measure: a row a system, a column a size."""
    return "\n".join(
        _measure(figures, bed, measure)
        for bed in figures.names("bed")
        for measure in f.MEASURES
        if figures.names("system", bed=bed, measure=measure)
    )


def _measure(figures, bed, measure):
    systems = figures.names("system", bed=bed, measure=measure)
    columns = figures.names("column", bed=bed, measure=measure)
    values = figures.values
    rows = [["", *columns]]
    rows += [
        [name, *(cell(values.get(f.Key(bed, measure, name, column))) for column in columns)]
        for name in systems
    ]
    return f"{bed}: {measure} ({f.unit(measure)})\n{aligned(rows)}"


def goals(figures, bed=GOAL_BED):
    """Give a table of the goals: ours, the best of stock, the ratio."""
    parts = []
    for goal, found in groupby(verdicts(figures, bed), key=lambda verdict: verdict.goal):
        rows = [["", "ours", "by", "best other", "by", "ratio", "goal", ""]]
        rows += [_verdict(verdict) for verdict in found]
        parts.append(f"{bed}: {goal}\n{aligned(rows, left=(0, 2, 4, 7))}")
    return "\n".join(parts)


def _verdict(verdict):
    sign = ">=" if verdict.more else "<="
    if verdict.best is None:
        other, ratio, wanted = "", "", f"{sign} {short(verdict.wanted)}"
    elif verdict.best_name.startswith(BARE):
        share = round(verdict.ratio * 100)
        other, ratio, wanted = short(verdict.best), f"{share} %", f"{sign} {verdict.wanted:.0%}"
    else:
        other, ratio = short(verdict.best), f"{verdict.ratio:.2f}x"
        wanted = f"{sign} {verdict.wanted:g}x"
    return [
        verdict.column or "worst of ours",
        short(verdict.ours),
        verdict.ours_name,
        other,
        verdict.best_name,
        ratio,
        wanted,
        "met" if verdict.met else "not met",
    ]


def aligned(rows, left=(0,)):
    """Lay rows of text out in columns, right-aligned but for some."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = (
            text.ljust(width) if i in left else text.rjust(width)
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  " + "  ".join(cells).rstrip() + "\n")
    return "".join(lines)


def cell(values):
    """Give the median, and how far the runs lay from it at most."""
    if not values:
        return "-"
    middle = statistics.median(values)
    if len(values) == 1 or not middle:
        return short(middle)
    off = max(max(values) - middle, middle - min(values)) / middle
    return f"{short(middle)} ±{off:.0%}"


def short(value):
    """Write a number with three digits or more."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
