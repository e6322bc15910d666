"""Answers inspections: gathers what another node asks for, in a thread where it takes files."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure

from corosync_tw.client.inspection import packed
from corosync_tw.config.schema import Config
from corosync_tw.corotypes import CS_OK
from corosync_tw.daemon import inspected
from corosync_tw.daemon.complaints import Complaints
from corosync_tw.daemon.facts import NodeFacts
from corosync_tw.daemon.maps import Maps
from corosync_tw.errors import CsBusy, CsFailedOperation, CsNotSupported
from corosync_tw.services.inspection.effects import Inspect
from corosync_tw.services.inspection.wire import Topic
from corosync_tw.services.stack import Stack

# Questions that threads work on, or wait for one; peers may ask faster than a disk reads.
GATHERINGS_MAX: Final = 16


class Inspector:
    """
    One node's answers.

    :param config: gives the configuration in force.
    :param directory: where the ring id and the flight recorder are kept.
    :param pump: has the stack polled, later in this turn of the loop.
    """

    def __init__(
        self,
        reactor: Any,
        config: Callable[[], Config],
        stack: Stack,
        maps: Maps,
        links: NodeFacts,
        *,
        complaints: Complaints,
        directory: str,
        pump: Callable[[], None],
    ) -> None:
        self._reactor = reactor
        self._config = config
        self._stack = stack
        self._maps = maps
        self._links = links
        self._complaints = complaints
        self._directory = directory
        self._pump = pump
        self._gathering = 0

    def routes(self) -> Mapping[type, Callable[[Any], None]]:
        """Name the effects that are carried out here."""
        return {Inspect: self._inspect}

    def _inspect(self, question: Inspect) -> None:
        """Carry an effect out; whatever goes wrong is the asker's, for the node has to go on."""
        if self._gathering >= GATHERINGS_MAX:
            refusal = CsBusy.code, b"%d questions are being worked on" % GATHERINGS_MAX
            self._answer(refusal, question)
            return
        self._gathering += 1
        done = maybeDeferred(self._gathered, question)
        done.addErrback(_in_words)
        done.addBoth(self._ended)
        done.addCallback(self._answer, question)

    def _ended(self, result: object) -> object:
        self._gathering -= 1
        return result

    def _gatherer(self, question: Inspect) -> Callable[[], bytes]:
        """Choose what a thread gathers; what belongs to the loop is gathered here and now."""
        config = self._config()
        match question.topic:
            case Topic.FACTS:
                state = inspected.state(
                    config, self._stack, self._maps, self._links, self._complaints
                )
                return lambda: inspected.facts(state, config, self._directory)
            case Topic.STATISTICS:
                keys = inspected.statistics(self._maps)
                return lambda: keys
            case Topic.CONFIGURATION:
                return lambda: inspected.configuration(config)
            case Topic.LOG:
                return lambda: inspected.log(config)
            case Topic.RECORDING:
                name = question.argument.decode(errors="replace")
                return lambda: inspected.recording(self._directory, config.nodeid, name)
        return _not_known

    def _gathered(self, question: Inspect) -> "Deferred[tuple[int, bytes]]":
        gather = self._gatherer(question)
        pool = self._reactor.getThreadPool()
        return deferToThreadPool(self._reactor, pool, lambda: (CS_OK, packed(gather())))

    def _answer(self, answer: tuple[int, bytes], question: Inspect) -> None:
        error, data = answer
        inspection = self._stack.inspection
        inspection.answer(question.asker, question.request, question.topic, error, data)
        self._pump()


def _not_known() -> bytes:
    raise CsNotSupported("not a topic of this version")


def _in_words(failure: Failure) -> tuple[int, bytes] | Failure:
    """Tell the asker what went wrong; anything but a file's fault goes to the log."""
    fault = failure.value
    if isinstance(fault, CsNotSupported):
        return fault.code, str(fault).encode()
    if isinstance(fault, OSError):
        return CsFailedOperation.code, f"{fault.filename}: {fault.strerror}".encode()
    return failure
