"""Every function of the C libraries does on our node what it does on a stock one."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.interop import walkers

pytestmark = pytest.mark.interop

# Libraries whose walks spend their time in the daemon show the other transport as well.
OVER_SOCKETS = ("cmap", "cpg", "quorum")
KINDS = {
    "stock": walkers.LIBRARIES,
    "ours": walkers.LIBRARIES,
    "mixed": walkers.LIBRARIES,
    "sockets": OVER_SOCKETS,
}
CASES = [(kind, library) for kind in KINDS if kind != "stock" for library in KINDS[kind]]
# Walkers wait for most of their time.
AT_ONCE = 2


@pytest.fixture(scope="module")
def walks(tmp_path_factory):
    """What each walker says, by kind of ring and library."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        rings = {
            kind: pool.submit(walkers.walk_all, kind, libraries, tmp_path_factory.mktemp(kind))
            for kind, libraries in KINDS.items()
        }
        return {kind: ring.result() for kind, ring in rings.items()}


@pytest.mark.parametrize("library", walkers.LIBRARIES)
def test_the_walk_comes_to_its_end_on_stock(walks, library):
    assert walks["stock"][library][-1] == "exit status 0", "\n".join(walks["stock"][library])


@pytest.mark.parametrize(("kind", "library"), CASES)
def test_the_walk_is_the_same(walks, kind, library):
    told = walkers.difference(walks["stock"][library], walks[kind][library], kind)
    assert not told, told
