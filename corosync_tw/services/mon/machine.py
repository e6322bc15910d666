"""
States of a monitored resource, for the monitors and for the watchdog's view of them alike.

Source: Corosync exec/mon.c mon_fsm_table, exec/wd.c wd_fsm_table.
"""

from enum import Enum
from typing import Final


class ResourceState(Enum):
    """As the key ``state`` has it."""

    STOPPED = "stopped"
    RUNNING = "running"
    FAILED = "failed"


class ResourceEvent(Enum):
    """What happens to a resource."""

    CONFIG_CHANGED = "config_changed"
    FAILURE = "failure"


_S, _E = ResourceState, ResourceEvent
# Where an event may lead. Without an entry it changes nothing: a stopped resource does not fail,
# a failed one fails once.
TRANSITIONS: Final[dict[tuple[ResourceState, ResourceEvent], frozenset[ResourceState]]] = {
    (_S.STOPPED, _E.CONFIG_CHANGED): frozenset({_S.STOPPED, _S.RUNNING}),
    (_S.RUNNING, _E.CONFIG_CHANGED): frozenset({_S.STOPPED, _S.RUNNING}),
    (_S.RUNNING, _E.FAILURE): frozenset({_S.FAILED}),
    (_S.FAILED, _E.CONFIG_CHANGED): frozenset({_S.STOPPED, _S.RUNNING}),
}


def transition_text(name: str, event: ResourceEvent, old: ResourceState, new: ResourceState) -> str:
    """Word a change of state as Corosync's log does."""
    return f'Fsm:{name} event "{event.value}", state "{old.value}" --> "{new.value}"'


class ResourceMachine:
    """
    One resource's state.

    :ivar state: changed by ``enter`` alone.
    """

    def __init__(self) -> None:
        self.state = ResourceState.STOPPED

    def accepts(self, event: ResourceEvent) -> bool:
        """Tell whether an event means anything in this state."""
        return (self.state, event) in TRANSITIONS

    def enter(self, event: ResourceEvent, state: ResourceState) -> bool:
        """
        Go where an event leads.

        :return: whether that is another state than before.
        """
        allowed = TRANSITIONS.get((self.state, event), frozenset())
        assert state in allowed, f"{event} does not lead from {self.state} to {state}"
        changed = state is not self.state
        self.state = state
        return changed
