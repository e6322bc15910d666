"""Questions to several nodes for Perspective Broker clients, which fetch the answers in pieces."""

from collections.abc import Mapping
from typing import Final

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from corosync_tw.corotypes import PROCESSOR_COUNT_MAX
from corosync_tw.errors import CsBusy, CsInvalidParam, CsNotExist, CsTryAgain
from corosync_tw.ipc.pb.broker import Method
from corosync_tw.ipc.pb.hubs import Peer, number, text
from corosync_tw.ipc.pb.wire import PIECE_LEN_BYTES_MAX
from corosync_tw.services.hello import Features
from corosync_tw.services.inspection.effects import Answer, InspectionEnded
from corosync_tw.services.lib_interfaces import EffectHandler, Shell
from corosync_tw.services.stack import Stack

ASKING_TIMEOUT_S: Final = 5.0


class InspectionHub:
    """
    The inspection service.

    :ivar desks: of the clients that are connected, by conn.
    """

    def __init__(self, stack: Stack, shell: Shell) -> None:
        self.stack = stack
        self.shell = shell
        self.desks: dict[int, InspectionDesk] = {}

    def open(self, peer: Peer) -> "InspectionDesk":
        """Welcome a client."""
        desk = InspectionDesk(peer, self)
        self.desks[peer.conn] = desk
        return desk

    def effect_handlers(self) -> Mapping[type, EffectHandler]:
        """Name the effects that answer clients."""
        return {InspectionEnded: self._on_ended}

    def _on_ended(self, effect: object) -> None:
        assert isinstance(effect, InspectionEnded)
        desk = self.desks.get(effect.conn)
        if desk is not None:
            desk.ended(effect.answers)


class InspectionDesk:
    """One client; an answer stays until its last piece was fetched, or the next question."""

    def __init__(self, peer: Peer, hub: InspectionHub) -> None:
        self._peer = peer
        self._hub = hub
        self._answers: dict[int, Answer] = {}
        self._waiting: Deferred[object] | None = None

    def methods(self) -> Mapping[str, Method]:
        """Name what the client may call."""
        return {"inspection_ask": self.ask, "inspection_piece": self.piece}

    def close(self) -> None:
        """Forget the client."""
        del self._hub.desks[self._peer.conn]
        self._waiting = None
        self._hub.stack.inspection.disconnect(self._peer.conn)

    def ask(self, topic: object, argument: object, nodeids: object) -> Deferred[object]:
        """
        Ask nodes; all members for an empty list.

        When the ring takes no message for so long, this node is asked alone: then it is that a
        diagnosis is wanted.

        :return: fires with [nodeid, cs_error_t, length of the answer] of each.
        """
        wanted, said = number(topic, "a topic", 0xFFFF), text(argument, "an argument").encode()
        if not isinstance(nodeids, list) or len(nodeids) > PROCESSOR_COUNT_MAX:
            raise CsInvalidParam(f"nodeids are a list of at most {PROCESSOR_COUNT_MAX}")
        named = {number(nodeid, "a nodeid") for nodeid in nodeids}
        if self._waiting is not None:
            raise CsBusy("an inspection of this client is under way")
        stack, done = self._hub.stack, Deferred[object]()
        self._waiting = done

        def ask(*, alone: bool = False) -> None:
            targets = named or set(stack.members)
            if not alone and targets != {stack.params.my_id}:
                stack.check_sending()
            deaf = stack.announcing.lacking(Features.INSPECTION)
            stack.inspection.ask(self._peer.conn, wanted, said, targets, deaf, alone=alone)
            self._hub.shell.pump()

        def stuck(failure: Failure) -> None:
            failure.trap(CsTryAgain)  # type: ignore[no-untyped-call]
            ask(alone=True)

        def failed(failure: object) -> object:
            self._waiting = None
            return failure

        asked = self._peer.submit(ask, ASKING_TIMEOUT_S).addErrback(stuck)
        return asked.addCallbacks(lambda _: done, failed)

    def piece(self, nodeid: object, offset: object) -> bytes:
        """Give the next bytes of an answer; raises CsNotExist."""
        wanted, begin = number(nodeid, "a nodeid"), number(offset, "an offset")
        answer = self._answers.get(wanted)
        if answer is None:
            raise CsNotExist(f"no answer of node {nodeid}")
        end = begin + PIECE_LEN_BYTES_MAX
        if end >= len(answer.data):
            del self._answers[wanted]
        return answer.data[begin:end]

    def ended(self, answers: Mapping[int, Answer]) -> None:
        """Take the answers."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            self._answers = dict(answers)
            waiting.callback([[n, a.error, len(a.data)] for n, a in answers.items()])
