"""
Reading corosync.conf again while the node runs, in two phases: read and check, then all or nothing.

The file is read in a thread, for names may have to be resolved; requests are served one after the
other, in the order in which the ring delivered them. A file that is refused leaves the node as it
was. Log files are opened in a thread as well: until they are, or cannot be, nothing else is put in
force.

Source: corosync 3.1.7 exec/cfg.c, message_handler_req_exec_cfg_reload_config.
Deviation: keys of the file are read before config.reload_in_progress is set, a refused file ends
config.totemconfig_reload_in_progress as well and sets config.reload_status, and
config.reload_error_message says what is wrong.
"""

from collections import deque
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import Deferred, DeferredLock, succeed
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure

from corosync_tw.config.derived_keys import runtime_config_keys
from corosync_tw.config.diff import OWNED_PREFIXES, Change, plan_change
from corosync_tw.config.file_keys import Keys
from corosync_tw.config.keys import config_keys
from corosync_tw.config.live import LIVE_PREFIXES, with_live_keys
from corosync_tw.config.schema import Config
from corosync_tw.corotypes import CS_OK
from corosync_tw.daemon.announcing import KEY_CHANGED, RELOADED, link_lines, totem_lines
from corosync_tw.daemon.journal import Journal
from corosync_tw.daemon.running import Refused, Running
from corosync_tw.errors import ConfigError, CsError, CsInvalidParam, CsNotExist
from corosync_tw.services.cfg.effects import ReloadRequested
from corosync_tw.services.cmap.store import CmapStore
from corosync_tw.services.cmap.trackers import Track
from corosync_tw.services.cmap.values import TypedValue

_TOTEM_IN_PROGRESS: Final = "config.totemconfig_reload_in_progress"
_IN_PROGRESS: Final = "config.reload_in_progress"
_STATUS: Final = "config.reload_status"
_ERROR: Final = "config.reload_error_message"
# As many faults as an administrator reads in one message; the log has them all.
FAULTS_IN_MESSAGE_MAX: Final = 10
# Keys that clients set while log files were being opened for another.
KEYS_IN_MESSAGE_MAX: Final = 5


class Reloader:
    """Carries out requests to read the file again, and follows changes that clients make."""

    def __init__(
        self,
        reactor: Any,
        running: Running,
        store: CmapStore,
        journal: Journal,
        *,
        load: Callable[[], Config],
        done: Callable[[int], None],
    ) -> None:
        """
        Put the keys of the configuration into the map.

        :param load: reads and checks the file; called in a thread, raises ConfigError.
        :param done: called with a cs_error_t at the end of each request.
        """
        self._reactor = reactor
        self._running = running
        self._store = store
        self._log = journal.cfg
        self._journal = journal
        self._load = load
        self._done = done
        self._waiting: deque[int] = deque()
        self._busy = False
        # One configuration after the other is put in force.
        self._taking = DeferredLock()
        self._client_keys: dict[str, None] = {}
        # Keys of the file as it was last taken, whatever clients made of them since.
        self._file_keys: Keys = config_keys(running.config)
        self._own_change = True
        store.replace((), self._file_keys)
        self._own_change = False
        every = Track.ADD | Track.DELETE | Track.MODIFY | Track.PREFIX
        for prefix in LIVE_PREFIXES:
            store.track_add(prefix, every, self._on_client_change)

    def request(self, effect: ReloadRequested) -> None:
        """Take a request, to be carried out after those before it."""
        self._waiting.append(effect.nodeid)
        if not self._busy:
            self._begin()

    def _begin(self) -> None:
        self._busy = True
        nodeid = self._waiting.popleft()
        self._log.notice("Config reload requested by node {nodeid}", nodeid=nodeid)
        self._store.set(_TOTEM_IN_PROGRESS, TypedValue.u8(1))
        self._forget(_ERROR)
        loading: Any = deferToThreadPool(self._reactor, self._reactor.getThreadPool(), self._load)
        loading.addCallbacks(self._loaded, self._unreadable)
        loading.addErrback(self._broken)
        loading.addCallback(self._end)

    def _loaded(self, config: Config) -> Deferred[int]:
        return self._taking.run(self._take, config)

    def _take(self, config: Config) -> Deferred[int]:
        """Compare and commit; gives a cs_error_t."""
        change, faults = plan_change(self._running.config, self._file_keys, config)
        if change is None:
            return succeed(self._refuse(faults))
        self._store.set(_IN_PROGRESS, TypedValue.u8(1))
        adopted = self._running.adopt(change.config)
        return adopted.addCallbacks(lambda _: self._commit(change), self._refused)

    def _refused(self, failure: Failure) -> int:
        failure.trap(Refused)  # type: ignore[no-untyped-call]
        return self._refuse([str(failure.value)])

    def _commit(self, change: Change) -> int:
        self._commit_keys(change)
        self._journal.write_all(totem_lines(change.config, RELOADED))
        self._journal.write_all(link_lines(change.config))
        for warning in change.config.warnings:
            self._log.warning("{text}", text=warning)
        for line in change.kept:
            self._log.notice("{text}", text=line)
        self._say_members(change)
        return CS_OK

    def _commit_keys(self, change: Change) -> None:
        self._own_change = True
        try:
            self._store.replace(OWNED_PREFIXES, change.keys)
        finally:
            self._own_change = False
        self._file_keys = change.keys

    def _say_members(self, change: Change) -> None:
        for word, members in (("removing", change.removed), ("adding", change.added)):
            for member in members:
                self._log.debug(
                    "{word} dynamic member {address} (node {nodeid})",
                    word=word,
                    address=member.address,
                    nodeid=member.nodeid,
                )

    def _unreadable(self, failure: Failure) -> int:
        """The file is wrong, or not there; gives a cs_error_t."""
        failure.trap(ConfigError)  # type: ignore[no-untyped-call]
        assert isinstance(failure.value, ConfigError)
        return self._refuse(failure.value.faults)

    def _refuse(self, faults: list[str]) -> int:
        for fault in faults:
            self._log.error("Unable to reload config file: {text}", text=fault)
        shown = faults[:FAULTS_IN_MESSAGE_MAX]
        if len(faults) > len(shown):
            shown.append(f"and {len(faults) - len(shown)} more, see the log")
        self._store.set(_ERROR, TypedValue.string("; ".join(shown)))
        return CsInvalidParam.code

    def _broken(self, failure: Failure) -> int:
        """A fault of ours: the node goes on with what it has, and says where it happened."""
        text = failure.getTraceback()
        self._log.error("Reload failed: {text}", text=text)
        self._store.set(_ERROR, TypedValue.string("the daemon failed to reload, see its log"))
        return CsError.code

    def _end(self, code: int) -> None:
        self._store.set(_STATUS, TypedValue.i32(code))
        self._store.set(_TOTEM_IN_PROGRESS, TypedValue.u8(0))
        self._store.set(_IN_PROGRESS, TypedValue.u8(0))
        self._busy = False
        self._done(code)
        if self._waiting:
            self._begin()

    def _forget(self, key: str) -> None:
        try:
            self._store.delete(key)
        except CsNotExist:
            return

    def _on_client_change(self, event: Track, key: str, *values: object) -> None:
        """Follow a directive that was set or deleted in the map."""
        del event, values
        if self._own_change:
            return
        self._client_keys[key] = None
        if len(self._client_keys) == 1:
            self._taking.run(self._follow_clients).addErrback(self._broken)

    def _follow_clients(self) -> Deferred[None] | None:
        """Put in force what clients have set, or say why not."""
        keys, self._client_keys = tuple(self._client_keys), {}
        texts = {
            name: str(self._store.get(name).value)
            for prefix in LIVE_PREFIXES
            for name in self._store.keys(prefix)
        }
        config, faults = with_live_keys(self._running.config, texts)
        if config is None:
            self._followed(keys, faults)
            return None
        runtime = runtime_config_keys(config)

        def refused(failure: Failure) -> None:
            failure.trap(Refused)  # type: ignore[no-untyped-call]
            # Of the file it says nothing.
            self._followed(keys, [str(failure.value).partition(": ")[2]])

        def adopted(_: object) -> None:
            if any(key.startswith("totem.") for key in keys):
                self._journal.write_all(totem_lines(config, KEY_CHANGED))
            self._store.replace((), runtime)
            self._followed(keys, [])

        return self._running.adopt(config).addCallbacks(adopted, refused)

    def _followed(self, keys: tuple[str, ...], faults: list[str]) -> None:
        for key in keys:
            self._journal.flight.directive_set(key, refused=bool(faults))
        for fault in faults:
            text = "{keys} was set, but has no effect: {text}"
            self._log.error(text, keys=", ".join(keys[:KEYS_IN_MESSAGE_MAX]), text=fault)
