"""The counters of redundant rings in the stats map: ``stats.corosync_tw.rings.*``."""

from collections.abc import Mapping
from typing import Final

from corosync_tw.services.cmap.live import Provider
from corosync_tw.services.cmap.values import TypedValue
from corosync_tw.services.stats.tables import Getter, Table, counters_table
from corosync_tw.totem.rrp.redundant import RedundantRing

PREFIX: Final = "stats.corosync_tw.rings."
ALL_PREFIX: Final = "stats.corosync_tw.rrp."


def ring_tables(layer: RedundantRing) -> Mapping[str, Provider]:
    """Make the tables: one of all rings together, one of each ring."""
    return {
        ALL_PREFIX: counters_table(ALL_PREFIX, layer.stats),
        PREFIX: Table(
            PREFIX,
            {
                f"{number}.{name}": getter
                for number in range(layer.params.networks)
                for name, getter in _getters(layer, number).items()
            },
        ),
    }


def _getters(layer: RedundantRing, number: int) -> dict[str, Getter]:
    counters = layer.link_stats[number]

    def counter(name: str) -> Getter:
        return lambda: TypedValue.u64(getattr(counters, name))

    return {
        **{name: counter(name) for name in counters.__slots__},
        "faulty": lambda: TypedValue.u8(int(layer.faulty(number))),
        "problem_count": lambda: TypedValue.u32(layer.problem_count(number)),
        "clean_tests": lambda: TypedValue.u32(layer.clean_tests(number)),
        "flaps": lambda: TypedValue.u32(layer.link_health(number).flaps),
    }
