"""
The services as clients see them listed, in the order in which stock starts them.

Source: Corosync exec/service.c default_services; the exec_engine table of each service.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from corosync_tw.services.exec_wire import ServiceId


class ListedService(NamedTuple):
    """
    One service.

    :ivar name: as in runtime.services.NAME.
    :ivar functions: how many messages members send each other, numbered from 0.
    """

    name: str
    service_id: int
    functions: int


_VOTEQUORUM: Final = ListedService("votequorum", ServiceId.VOTEQUORUM, 4)
_ALWAYS: Final = (
    ListedService("cmap", ServiceId.CMAP, 1),
    ListedService("cfg", ServiceId.CFG, 5),
    ListedService("cpg", ServiceId.CPG, 7),
    ListedService("pload", ServiceId.PLOAD, 2),
    ListedService("mon", ServiceId.MON, 0),
    ListedService("wd", ServiceId.WD, 0),
    ListedService("quorum", ServiceId.QUORUM, 0),
)


def listed_services(*, votequorum: bool) -> Iterator[ListedService]:
    """Yield the services that run; votequorum comes with its quorum provider."""
    yield from _ALWAYS
    if votequorum:
        yield _VOTEQUORUM
