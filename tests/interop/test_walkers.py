"""Every function of the C libraries does on our node what it does on a stock one."""

import pytest

from tests.interop import walkers

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module")
def stock_walks(tmp_path_factory):
    """The reference."""
    return walkers.walk_all("stock", walkers.LIBRARIES, tmp_path_factory.mktemp("stock"))


@pytest.fixture(scope="module", params=["ours", "mixed"])
def our_walks(request, tmp_path_factory):
    """All walks on one ring of a kind; the kind first."""
    workdir = tmp_path_factory.mktemp(request.param)
    return request.param, walkers.walk_all(request.param, walkers.LIBRARIES, workdir)


@pytest.mark.parametrize("library", walkers.LIBRARIES)
def test_the_walk_comes_to_its_end_on_stock(stock_walks, library):
    assert stock_walks[library][-1] == "exit status 0", "\n".join(stock_walks[library])


@pytest.mark.parametrize("library", walkers.LIBRARIES)
def test_the_walk_is_the_same(stock_walks, our_walks, library):
    kind, walks = our_walks
    told = walkers.difference(stock_walks[library], walks[library], kind)
    assert not told, told
