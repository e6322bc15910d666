"""
The change between two results, with its noise.

A change counts when all runs of one side lie beyond all runs of the other; what is within the
spread of the runs may be chance.
"""

import statistics

from bench import figures as f
from bench.tables import aligned, short

# The same figures, per byte.
DERIVED = (f.PAYLOAD, f.DAEMONS_GB, f.CLIENTS_GB)
SAME_MACHINE = ("cpu", "cores", "kernel", "python", "kernels", "corosync")


def report(old, new):
    """Compare two pairs of figures and what is known about them; text for people."""
    (before, about_before), (after, about_after) = old, new
    parts = _differences(about_before["machine"], about_after["machine"])
    changed = {"better": 0, "worse": 0, "": 0}
    for bed in after.names("bed"):
        for measure in after.names("measure", bed=bed):
            keys = [k for k in after.values if (k.bed, k.measure) == (bed, measure)]
            rows = [_row(before.values[k], after.values[k], k) for k in keys if k in before.values]
            if not rows or measure.endswith(DERIVED):
                continue
            for row in rows:
                changed[row[-1].strip("* ")] += 1
            head = ["", "", "before", "now", "change", "noise", ""]
            parts.append(f"{bed}: {measure} ({f.unit(measure)})")
            parts.append(aligned([head, *rows], left=(0, 6)))
    parts.append(
        f"beyond the spread of the runs (*): {changed['better']} better, "
        f"{changed['worse']} worse; within it: {changed['']}"
    )
    return "\n".join(parts)


def _differences(before, now):
    return [
        f"another {name}: {before.get(name)!r}, now {now.get(name)!r}"
        for name in SAME_MACHINE
        if before.get(name) != now.get(name)
    ]


def _row(before, now, key):
    middles = [statistics.median(values) for values in (before, now)]
    change = f"{middles[1] / middles[0] - 1:+.0%}" if middles[0] else "-"
    return [
        key.system,
        key.column,
        short(middles[0]),
        short(middles[1]),
        change,
        _noise(before, now, *middles),
        _mark(before, now, more=f.MEASURES[key.measure][1]),
    ]


def _noise(before, now, *middles):
    """Say how far runs of either side lie from their median."""
    off = [
        max(max(values) - middle, middle - min(values)) / middle
        for values, middle in zip((before, now), middles, strict=True)
        if middle
    ]
    return f"±{max(off):.0%}" if off else "-"


def _mark(before, now, *, more):
    """Mark a change that is no chance, with its direction where there is one."""
    if min(now) > max(before):
        risen = True
    elif max(now) < min(before):
        risen = False
    else:
        return ""
    if more is None:
        return ""
    return "* better" if risen == more else "* worse"
