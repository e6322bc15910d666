"""A C client beside a node that answers each line of its standard input with a line of figures."""

import time
from pathlib import Path

from tests.interop.netbed import Process
from tests.interop.nodes import built

CLIENTS = Path(__file__).resolve().parent / "clients"
ANSWER_WITHIN_S = 60.0
POLL_S = 0.002


class ClientError(Exception):
    """A client ended, or did not answer; the text is what it said."""


class Asked:
    """The process and the answers that are still to come."""

    def __init__(self, machine, workdir, source, *arguments):
        log = workdir / f"{'-'.join((Path(source).stem, *arguments))}.log"
        argv = [str(built(CLIENTS / source)), *arguments]
        self._process = Process(machine, argv, log, workdir)
        self._said = log.open()
        self._line = ""

    def tell(self, line):
        """Send a command whose answer is read later."""
        self._process.write_line(line)

    def answer(self):
        """Wait for the figures of the oldest command that was not answered."""
        end = time.monotonic() + ANSWER_WITHIN_S
        while not self._line.endswith("\n"):
            self._line += self._said.readline()
            if self._line.endswith("\n"):
                break
            if self._process.exit_status is not None or time.monotonic() > end:
                raise ClientError(self._process.log.read_text() or "a client is silent")
            time.sleep(POLL_S)
        line, self._line = self._line, ""
        try:
            return [float(word) for word in line.split()]
        except ValueError:
            raise ClientError(line) from None

    def ask(self, line, lasts_s=0.0):
        """Send one command and wait for its figures, which take so long at least."""
        self.tell(line)
        time.sleep(lasts_s)
        return self.answer()

    def close(self):
        """End the client."""
        self._process.kill()
        self._said.close()


def ask_all(clients, line, lasts_s=0.0):
    """Send one command to several clients; all their figures."""
    for client in clients:
        client.tell(line)
    time.sleep(lasts_s)
    return [client.answer() for client in clients]
