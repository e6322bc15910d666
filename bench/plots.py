"""
Figures as drawings, SVG and PNG: throughput and processor time by size, round trips.

Stock is grey to blue, ours warm; a transport has one marker, the same on both sides. The default
window is dashed, plain Python dotted.
"""

from pathlib import Path

from bench import figures as f
from bench.goals import BARE
from bench.plan import GOAL_BED

COLORS = {
    "stock knet": "#1f4e9c",
    "stock udpu": "#5b8fd6",
    "stock udp": "#7a8794",
    "ours udpu": "#c0392b",
    "ours udp": "#e67e22",
    f"{BARE} udpu": "black",
    f"{BARE} udp": "black",
}
MARKERS = {"knet": "s", "udpu": "o", "udp": "^"}
TRIPS = ((f.TRIP_IDLE, "idle"), (f.TRIP_LOADED, "at half the own throughput"))
PERCENTILES = {"p50": "#8fbf8f", "p99": "#e6b84c", "p99.9": "#c0574c"}
DPI = 110


def draw(figures, stem, title, bed=GOAL_BED):
    """
    Draw what there are figures for; give the paths of the files made.

    :param stem: path without an ending.
    :param title: what they were taken on.
    """
    drawn = {
        "throughput": _by_size(figures, bed, f.PAYLOAD, "MB/s"),
        "cpu": _by_size(figures, bed, f.DAEMONS_GB, "seconds of all daemons per GB"),
        "latency": _latency(figures, bed),
        "nodes": _by_nodes(figures),
    }
    paths = []
    for name, figure in drawn.items():
        if figure is None:
            continue
        figure.text(0.995, 0.005, title, ha="right", va="bottom", fontsize=7, color="grey")
        for ending in ("svg", "png"):
            path = Path(f"{stem}-{name}.{ending}")
            figure.savefig(path, dpi=DPI)
            paths.append(path)
    return paths


def _new(panels, width, height, **options):
    # Imported late: tables and comparisons need no library of drawings.
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    figure.get_layout_engine().set(rect=(0, 0.02, 1, 0.98))
    return figure, figure.subplots(1, panels, squeeze=False, **options)[0]


def style(system):
    """Choose how a system's line looks."""
    base = next(name for name in COLORS if f"{system} ".startswith(f"{name} "))
    ours = system.startswith("ours")
    line = ":" if system.endswith("plain") else "--" if system == base and not ours else "-"
    if system.startswith(BARE):
        line = ""
    return {
        "color": COLORS[base],
        "marker": MARKERS[base.split()[1]],
        "linestyle": line,
        "linewidth": 2.2 if ours else 1.4,
        "markersize": 6,
        "label": system,
    }


def _line(figures, bed, measure, system):
    points = [
        (int(column.split()[0]), figures.median(bed, measure, system, column))
        for column in figures.names("column", bed=bed, measure=measure, system=system)
    ]
    return list(zip(*sorted(point for point in points if point[1]), strict=True))


def _by_size(figures, bed, what, label):
    measures = [f"{senders}: {what}" for senders in (f.ONE, f.ALL_NODES)]
    measures = [m for m in measures if figures.names("system", bed=bed, measure=m)]
    if not measures:
        return None
    figure, panels = _new(len(measures), 6.5 * len(measures) + 1, 5.6, sharex=True, sharey=True)
    for axes, measure in zip(panels, measures, strict=True):
        for system in figures.names("system", bed=bed, measure=measure):
            line = _line(figures, bed, measure, system)
            if line:
                axes.plot(*line, **style(system))
        axes.set_title(f"{bed}: {measure.partition(':')[0]}")
        axes.set_xlabel("bytes a message")
        axes.tick_params(labelleft=True)
    sizes = sorted(
        {int(c.split()[0]) for c in figures.names("column", bed=bed, measure=measures[0])}
    )
    for axes in panels:
        axes.set_xscale("log")
        axes.minorticks_off()
        axes.set_xticks(sizes, [_thousands(size) for size in sizes])
        axes.set_yscale("log")
        _plain_numbers(axes.yaxis)
        axes.grid(visible=True, which="both", color="#dddddd", linewidth=0.5)
    panels[0].set_ylabel(label)
    _legend(figure, panels[0])
    return figure


def _plain_numbers(axis):
    """Have 1, 2 and 5 of each decade written out."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter  # noqa: PLC0415

    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
    axis.set_minor_formatter(NullFormatter())


def _thousands(number):
    for unit, word in ((1_000_000, "M"), (1000, "k")):
        if number >= unit:
            return f"{number / unit:g}{word}"
    return str(number)


def _legend(figure, axes):
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", frameon=False, fontsize=9)


def _latency(figures, bed):
    shown = [(m, text) for m, text in TRIPS if figures.names("system", bed=bed, measure=m)]
    if not shown:
        return None
    systems = figures.names("system", bed=bed, measure=shown[0][0])
    height = 1.6 + 0.42 * len(systems)
    figure, panels = _new(len(shown), 6 * len(shown) + 1, height, sharex=True, sharey=True)
    for axes, (measure, text) in zip(panels, shown, strict=True):
        for row, system in enumerate(systems):
            _bars(axes, row, [figures.median(bed, measure, system, p) for p in PERCENTILES])
        axes.set_xscale("log")
        axes.set_yticks(range(len(systems)), systems)
        axes.set_xlabel("microseconds, 64 B there and back")
        axes.set_title(f"round trip, {text}")
        _plain_numbers(axes.xaxis)
        axes.grid(visible=True, axis="x", color="#dddddd", linewidth=0.6)
        axes.set_axisbelow(True)
    panels[0].invert_yaxis()
    figure.suptitle(bed, fontsize=10)
    _legend(figure, panels[0])
    return figure


def _bars(axes, row, values):
    """Draw one system's percentiles, one below the other, each with its figure."""
    thick = 0.8 / len(values)
    for i, (value, (name, color)) in enumerate(zip(values, PERCENTILES.items(), strict=True)):
        if not value:
            continue
        at = row + (i - 1) * thick
        axes.barh(at, value, thick, color=color, label=name if row == 0 else None)
        axes.text(value * 1.04, at, f"{value:,.0f}", va="center", fontsize=6.5)
    axes.margins(x=0.12)


def _by_nodes(figures):
    """Throughput by the number of nodes, at the beds' common MTU, for a small and a large size."""
    measure = f"{f.ONE}: {f.PAYLOAD}"
    mtu = GOAL_BED.partition(",")[2]
    beds = {int(bed.split()[0]): bed for bed in figures.names("bed") if bed.endswith(mtu)}
    if len(beds) < 2:
        return None
    columns = [
        column
        for column in figures.names("column", measure=measure)
        if all(
            figures.names("system", bed=b, measure=measure, column=column) for b in beds.values()
        )
    ]
    if not columns:
        return None
    figure, panels = _new(len(columns), 4.6 * len(columns) + 1, 4.6)
    for axes, column in zip(panels, columns, strict=True):
        for system in figures.names("system", measure=measure):
            points = [(n, figures.median(beds[n], measure, system, column)) for n in sorted(beds)]
            points = [point for point in points if point[1]]
            if len(points) > 1:
                axes.plot(*zip(*points, strict=True), **style(system))
        axes.set_yscale("log")
        _plain_numbers(axes.yaxis)
        axes.set_xticks(sorted(beds))
        axes.set_xlabel("nodes")
        axes.set_title(f"{column}, one sender")
        axes.grid(visible=True, which="both", color="#dddddd", linewidth=0.5)
    panels[0].set_ylabel("MB/s")
    _legend(figure, panels[0])
    return figure
