"""
The members that the interface blocks of a 1.x file list, ring by ring.

Such a file names no node ids. Those of ring 0 are made from the addresses there, and the members of
further rings are the same nodes in the same order.
Deviation: 1.x learns from Join messages which addresses are one node's; those of 3.x name none.
"""

from collections.abc import Mapping, Sequence

from corosync_tw.config.host import IpAddress
from corosync_tw.config.report import Report
from corosync_tw.config.schema_totem import InterfaceConfig


def check_same_members(
    interfaces: Mapping[int, InterfaceConfig],
    own: Mapping[int, IpAddress],
    listed: Mapping[int, Sequence[tuple[IpAddress, str]]],
    report: Report,
) -> None:
    """
    Check that all rings list the same nodes in the same order, as far as can be told.

    :param own: our address by ring.
    :param listed: address and text of each member by ring; none where only multicast knows.
    """
    places = {number: _places(own[number], members) for number, members in listed.items()}
    for number, members in listed.items():
        if len(members) != len(listed[0]):
            text = f"ring {number} lists {len(members)} members, ring 0 lists {len(listed[0])}"
        elif places[number] != places[0]:
            text = f"our address {own[number]} is not in the place that {own[0]} has on ring 0"
        else:
            continue
        report.fault(
            interfaces[number],
            "",
            f"{text}: list the same nodes in the same order on every ring, or write a nodelist",
        )


def _places(own: IpAddress, members: Sequence[tuple[IpAddress, str]]) -> list[int]:
    return [place for place, (address, _) in enumerate(members) if address == own]
