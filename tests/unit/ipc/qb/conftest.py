import pytest

from tests.unit.ipc.qb.serving import Bench


@pytest.fixture(params=["shm", "socket"])
def bench(request, tmp_path):
    made = Bench(tmp_path, request.param)
    yield made
    made.close()


@pytest.fixture
def shm(tmp_path):
    made = Bench(tmp_path, "shm")
    yield made
    made.close()


@pytest.fixture
def dgram(tmp_path):
    made = Bench(tmp_path, "socket")
    yield made
    made.close()
