"""Tools of the command line, in the process of the tests."""

import signal

import pytest


@pytest.fixture(autouse=True)
def _signals():
    """Tools let a broken pipe end them, as C programs do; the tests after them live on."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGPIPE)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
