"""What is made of the benchmark's figures, on figures that were recorded: no daemon runs here."""

import contextlib
import io
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench import __main__ as command
from bench import compare, goals, links, measure, plots, tables
from bench import figures as f
from bench.plan import (
    ALL,
    GOAL_BED,
    QUICK,
    QUICK_TIMING,
    SIZES,
    WHOLE,
    WHOLE_TIMING,
    chosen,
)
from bench.progress import Progress
from bench.ring import Flood

RECORDED = Path(__file__).resolve().parents[1] / "data" / "bench-quick.json"
MESSAGES = f"{f.ONE}: {f.MESSAGES}"


@pytest.fixture
def recorded():
    return f.load(RECORDED)


def figures_of(*rows):
    figures = f.Figures()
    for measured, system, column, values in rows:
        figures.values[f.Key(GOAL_BED, measured, system, column)] = list(values)
    return figures


def compared(before, now, *, measured=MESSAGES):
    about = {"machine": {"cpu": "same"}}
    sides = [figures_of((measured, "ours udpu", "64 B", values)) for values in (before, now)]
    return compare.report(*((side, about) for side in sides))


def test_a_flood_is_told_per_message_and_per_byte():
    figures = f.Figures()
    flood = Flood(10_000, daemon_s=40, client_s=8, rotations_per_s=300, retransmits=0)
    figures.add_flood(GOAL_BED, f.ONE, "ours udp", 40_000, flood)
    medians = {
        what: figures.median(GOAL_BED, f"{f.ONE}: {what}", "ours udp", "40000 B")
        for what in (f.MESSAGES, f.PAYLOAD, f.DAEMONS_GB, f.DAEMONS_MILLION, f.CLIENTS_GB)
    }
    assert medians == {
        f.MESSAGES: 10_000,
        f.PAYLOAD: 400,
        f.DAEMONS_GB: 1,
        f.DAEMONS_MILLION: 40,
        f.CLIENTS_GB: pytest.approx(0.2),
    }


def test_a_result_reads_as_it_was_written(recorded, tmp_path):
    figures, about = recorded
    path = f.save(figures, about, tmp_path)
    again, about_again = f.load(path)
    assert again.values == figures.values
    assert about_again == about
    assert f.last_kept(tmp_path) == path


def test_a_result_of_another_format_is_not_the_last_kept(tmp_path):
    (tmp_path / "old.json").write_text('{"figures": []}')
    assert f.last_kept(tmp_path) is None
    with pytest.raises(ValueError, match="not of format"):
        f.load(tmp_path / "old.json")


def test_the_table_has_a_row_a_system_and_a_column_a_size(recorded):
    text = tables.everything(recorded[0])
    table = text.partition(f"{GOAL_BED}: {MESSAGES} (messages/s)\n")[2].partition("\n\n")[0]
    head, *rows = table.splitlines()
    assert head.split("  ")[-1].strip() == "1000000 B"
    assert [row[:20].strip() for row in rows] == [
        "stock knet 300/100",
        "stock udp 300/100",
        "ours udpu",
        "ours udp",
        "sockets udpu",
        "sockets udp",
    ]
    assert "49,908 ±6%" in rows[0]


def test_every_line_fits_a_wide_terminal(recorded):
    figures, about = recorded
    assert max(map(len, command.written(figures, about).splitlines())) <= 130


@pytest.mark.parametrize(
    ("values", "text"),
    [(None, "-"), ([0.25], "0.25"), ([90, 100, 120], "100 ±20%"), ([0, 0, 0], "0")],
)
def test_a_cell_is_the_median_and_how_far_runs_lay(values, text):
    assert tables.cell(values) == text


def test_a_goal_is_held_against_the_best_of_stock():
    figures = figures_of(
        (MESSAGES, "stock knet", "1600 B", [20_000]),
        (MESSAGES, "stock knet 300/100", "1600 B", [30_000]),
        (MESSAGES, "ours udpu", "1600 B", [330_000]),
        (MESSAGES, "ours udp", "1600 B", [290_000]),
        (MESSAGES, "ours udp plain", "1600 B", [59_000]),
    )
    whole, plain = goals.verdicts(figures)
    assert (whole.ours_name, whole.best_name) == ("ours udpu", "stock knet 300/100")
    assert (whole.ratio, whole.wanted, whole.met) == (11, 10, True)
    assert (plain.ours_name, plain.met) == ("ours udp plain", False)


def test_less_is_better_for_time_and_memory():
    figures = figures_of(
        (f.TRIP_LOADED, "stock udp", "p99", [400]),
        (f.TRIP_LOADED, "stock knet", "p99", [900]),
        (f.TRIP_LOADED, "ours udp", "p99", [190]),
        (f.MEMORY, "ours udp", "", [80]),
        (f.MEMORY, "ours udpu", "", [130]),
    )
    trip, memory = goals.verdicts(figures)
    assert (trip.best, trip.met) == (400, True)
    assert (memory.ours, memory.met) == (130, False)


def test_each_transport_is_held_against_sockets_that_send_as_it_does():
    payload = f"{f.ONE}: {f.PAYLOAD}"
    figures = figures_of(
        (payload, "ours udpu", "40000 B", [500]),
        (payload, "sockets udpu", "40000 B", [600]),
        (payload, "ours udp", "40000 B", [500]),
        (payload, "sockets udp", "40000 B", [1000]),
    )
    assert [(v.ratio, v.met) for v in goals.verdicts(figures)] == [
        (pytest.approx(5 / 6), True),
        (0.5, False),
    ]
    assert "83 %" in tables.goals(figures)


def test_all_goals_of_the_recorded_figures_are_told(recorded):
    text = tables.goals(recorded[0])
    for what in (MESSAGES, f.DAEMONS_GB, f.TRIP_IDLE, f.TRIP_LOADED, "bare sockets", f.IDLE):
        assert what in text


def test_a_change_beyond_the_spread_is_marked():
    assert "* better" in compared([100, 110, 105], [120, 130, 115])
    assert "* worse" in compared([100, 110, 105], [70, 99, 80])
    assert "* better" in compared([100, 110, 105], [70, 99, 80], measured=f.TRIP_IDLE)


def test_a_change_within_the_spread_may_be_chance():
    text = compared([100, 110, 105], [109, 140, 130])
    assert "+24%" in text
    assert "0 better, 0 worse; within it: 1" in text


def test_another_machine_is_told():
    figures = figures_of((MESSAGES, "ours udp", "64 B", [1]))
    text = compare.report(
        (figures, {"machine": {"cores": 2}}), (figures, {"machine": {"cores": 8}})
    )
    assert "another cores: 2, now 8" in text


def test_two_results_are_compared_by_the_command(recorded, capsys, tmp_path):
    path = f.save(*recorded, tmp_path)
    asked = command.arguments().parse_args(["--compare", str(RECORDED), str(path)])
    assert command.compared(asked) == 0
    assert " 0 better, 0 worse; within it: " in capsys.readouterr().out


def test_drawings_are_made_as_svg_and_png(recorded, tmp_path):
    drawn = plots.draw(recorded[0], tmp_path / "result", "a machine")
    assert {path.name for path in drawn} == {
        f"result-{what}.{ending}"
        for what in ("throughput", "cpu", "latency")
        for ending in ("svg", "png")
    }
    for path in drawn:
        start = path.read_bytes()[:8]
        assert start == b"\x89PNG\r\n\x1a\n" if path.suffix == ".png" else b"<?xml" in start


def test_beds_of_many_sizes_are_drawn_by_their_nodes(tmp_path):
    figures = f.Figures()
    for nodes in (2, 3):
        for name in ("stock knet", "ours udp plain"):
            figures.add(f"{nodes} nodes, MTU 1500", f"{f.ONE}: {f.PAYLOAD}", name, "64 B", nodes)
    names = [path.name for path in plots.draw(figures, tmp_path / "result", "")]
    assert "result-nodes.svg" in names


def test_every_system_has_a_line_of_its_own():
    styles = [plots.style(name) for name in (*ALL, "sockets udp", "sockets udpu")]
    looks = {(s["color"], s["marker"], s["linestyle"]) for s in styles}
    assert len(looks) == len(styles)


def test_the_bed_of_the_goals_is_measured_in_full():
    first = WHOLE[0]
    assert (first.name, first.systems, first.sizes) == (GOAL_BED, ALL, SIZES)
    assert first.full
    assert first.bare
    assert {bed.nodes for bed in WHOLE} == {2, 3, 5, 8}
    assert {bed.mtu for bed in WHOLE} == {1500, 9000}
    assert WHOLE_TIMING.runs >= 5


def test_runs_are_planned_to_end_in_time():
    assert sum(measure.thought_s(bed, WHOLE_TIMING) for bed in WHOLE) < 580
    assert sum(measure.thought_s(bed, QUICK_TIMING) for bed in QUICK) < 55


def test_a_run_can_be_narrowed():
    (bed,) = chosen(WHOLE, nodes=(5,), systems=("ours",), sizes=(64, 1600))
    assert bed.name == "5 nodes, MTU 1500"
    assert bed.systems == ("ours udpu", "ours udp", "ours udpu plain", "ours udp plain")
    assert bed.sizes == (64, 1600)
    (bed,) = chosen(QUICK, systems=("ours udp", "stock udp "))
    assert bed.systems == ("stock udp 300/100", "ours udp")
    (bed,) = chosen(QUICK, nodes=(4,), mtus=(9000,))
    assert bed.name == "4 nodes, MTU 9000"


def test_steps_of_links_are_thought_to_take_what_all_of_it_is(monkeypatch):
    """Else what is left grows and shrinks by what comes at the end."""

    class Steps:
        thought_s = 0.0

        def step(self, _what, thought_s):
            self.thought_s += thought_s

    class Ring:
        def __init__(self, name):
            self.system = SimpleNamespace(name=name)

        thawed = contextlib.nullcontext

        def nothing(self, *_):
            """There is no ring."""

        slow = freeze = flood = nothing

    def standing(names, _nodes):
        return contextlib.nullcontext([Ring(name) for name in names])

    monkeypatch.setattr(links, "standing", standing)
    monkeypatch.setattr(links, "_cut", lambda *_: None)
    for timing in (QUICK_TIMING, WHOLE_TIMING):
        steps = Steps()
        links.measure_links(f.Figures(), timing, steps)
        assert steps.thought_s == pytest.approx(links.cost_s(timing))


def test_progress_corrects_what_is_left_by_what_was():
    now = [0.0]
    out = io.StringIO()
    progress = Progress(100, out, lambda: now[0])
    progress.step("first", 25)
    now[0] = 50.0
    progress.step("second", 25)
    assert out.getvalue().splitlines() == ["1:40 left  first", "2:30 left  second"]
