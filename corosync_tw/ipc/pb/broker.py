"""
Perspective Broker cut down to plain values: one end of a connection, the same on both sides.

Twisted's Broker lets a peer name classes, share references and nest without end. Here a peer may
call the methods of one table, by name, with plain arguments, and answer our calls; anything else
closes that connection and nothing more.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.spread import banana, jelly, pb

from corosync_tw.corotypes import CS_OK
from corosync_tw.errors import CsError, CsInvalidParam, CsNotSupported
from corosync_tw.ipc.pb.wire import EXPRESSION_LEN_BYTES_MAX, error_answer, read_answer

_COMMANDS: Final = frozenset({b"version", b"message", b"answer", b"error"})

# Jelly has one set of names for what travels and asks for others when it encodes; as incoming
# names the latter lead nowhere, because no module is allowed.
_INCOMING: Final = (b"None", b"boolean", b"unicode", b"list", b"tuple", b"dictionary")
_OUTGOING: Final = tuple(
    f"builtins.{kind.__name__}".encode()
    for kind in (bytes, int, float, str, bool, type(None), list, tuple, dict)
)

Method = Callable[..., object]


class PlainTypes(jelly.SecurityOptions):
    """Values a peer may send: no classes, no references, nothing with behaviour."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.allowedTypes = dict.fromkeys((*_INCOMING, *_OUTGOING), 1)

    def isTypeAllowed(self, typeName: object) -> bool:
        """Refuse also dotted names, which the base class lets pass."""
        return typeName in self.allowedTypes


class PlainBroker(pb.Broker):
    """
    One connection.

    :ivar len_bytes_max: what a peer may send for one call or answer before it is cut off.
    """

    transport: Any
    factory: Any
    waitingForAnswers: Any

    log = Logger()

    def __init__(self, *, is_client: bool, our_name: bytes, their_name: bytes) -> None:
        super().__init__(is_client, PlainTypes())  # type: ignore[no-untyped-call]
        self.len_bytes_max = EXPRESSION_LEN_BYTES_MAX
        self._our_name = our_name
        self._their_name = their_name
        self._methods: Mapping[str, Method] = {}
        self._unfinished_len_bytes = 0

    def serve(self, methods: Mapping[str, Method]) -> None:
        """
        Offer these methods to the peer.

        :param methods: each returns a plain value or a Deferred of one, or raises CsError.
        """
        self._methods = methods

    def call(self, method: str, *args: object) -> Deferred[Any]:
        """
        Call a method of the peer.

        :return: its result; fails with the CsError of the peer's answer, with
            PBConnectionLost, or with DeadReferenceError when the connection had ended before.
        """
        peer = self.remoteForName(self._their_name)  # type: ignore[no-untyped-call]
        return maybeDeferred(peer.callRemote, method, *args).addCallback(read_answer)

    def dataReceived(self, chunk: bytes) -> None:
        """Decode; a fault in the peer's bytes closes this connection alone."""
        self._unfinished_len_bytes += len(chunk)
        try:
            super().dataReceived(chunk)  # type: ignore[no-untyped-call]
        except Exception as fault:  # noqa: BLE001 - banana and jelly raise whatever they stumble over
            self._refuse(f"{type(fault).__name__}: {fault}")
            return
        if self._unfinished_len_bytes > self.len_bytes_max:
            self._refuse(f"more than {self.len_bytes_max} bytes in one call")

    def expressionReceived(self, sexp: object) -> None:
        """Let pass the four commands that calls are made of."""
        self._unfinished_len_bytes = 0
        if not isinstance(sexp, list) or not sexp or sexp[0] not in _COMMANDS:
            raise banana.BananaError("not a call")
        super().expressionReceived(sexp)  # type: ignore[no-untyped-call]

    def proto_message(
        self, requestID: int, objectID: object, message: object, answerRequired: object, *args: Any
    ) -> None:
        """Answer a call of the peer."""
        if objectID != self._our_name or not isinstance(requestID, int) or len(args) != 2:
            raise banana.BananaError("a call of an unknown object")
        positional, named = (self.unserialize(arg) for arg in args)  # type: ignore[no-untyped-call]
        if not isinstance(positional, tuple) or named != {}:
            raise banana.BananaError("arguments are positional")
        name = message.decode("ascii") if isinstance(message, bytes) else str(message)
        self._run(name, positional).addCallback(self._answer, requestID, bool(answerRequired))

    def proto_error(self, requestID: int, _fail: object) -> None:
        """Fail our call; our own kind never sends this, a stock Perspective Broker does."""
        answered = self.waitingForAnswers.pop(requestID)
        answered.errback(CsNotSupported("the peer could not carry out the call"))

    def abort(self) -> None:
        """Close at once; nothing that is still to be sent will be."""
        if self.transport is not None:
            self.transport.abortConnection()

    def _run(self, name: str, args: tuple[object, ...]) -> Deferred[list[object]]:
        method = self._methods.get(name)
        done: Deferred[Any] = Deferred()
        if method is None:
            done.errback(CsNotSupported(f"there is no method {name[:64]!r}"))
        else:
            done.addCallback(lambda _: method(*args))
            done.callback(None)
        return done.addCallbacks(lambda value: [CS_OK, value], self._failed, errbackArgs=(name,))

    def _failed(self, failure: Failure, name: str) -> list[object]:
        if isinstance(failure.value, CsError):
            return error_answer(failure.value)
        if isinstance(failure.value, TypeError):
            return error_answer(CsInvalidParam(f"{name}: {failure.value}"))
        self.log.failure("{name} failed", failure, name=name)
        return error_answer(CsError(f"{name} failed: {type(failure.value).__name__}"))

    def _answer(self, answer: list[object], request_id: int, wanted: bool) -> None:
        if wanted and not self.disconnected:
            plain = self.serialize(answer)  # type: ignore[no-untyped-call]
            self.sendCall(b"answer", request_id, plain)  # type: ignore[no-untyped-call]

    def _refuse(self, reason: str) -> None:
        if not self.disconnected:
            self.log.warn(  # noqa: G010 - twisted.logger has no warning()
                "closing a Perspective Broker connection: {reason}", reason=reason[:200]
            )
            self.abort()
