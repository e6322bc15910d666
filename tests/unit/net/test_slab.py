from corosync_tw.net.slab import RECEIVE_LEN_BYTES_MAX, SLAB_LEN_BYTES, SlabPool


def fill(pool, value):
    window = pool.window()
    window[:1000] = bytes([value]) * 1000
    return pool.take(1000)


def use_up_a_slab(pool):
    for _ in range(SLAB_LEN_BYTES // RECEIVE_LEN_BYTES_MAX):
        pool.window()
        pool.take(RECEIVE_LEN_BYTES_MAX)


def test_what_was_taken_is_not_written_again():
    pool = SlabPool()
    views = []
    for value in range(3000):
        views.append(fill(pool, value % 251))
    assert all(bytes(view) == bytes([n % 251]) * 1000 for n, view in enumerate(views))


def test_a_window_always_has_room_for_the_longest_datagram():
    pool = SlabPool()
    for _ in range(100):
        assert len(pool.window()) == RECEIVE_LEN_BYTES_MAX
        pool.take(40_000)


def test_the_window_stays_until_something_is_taken():
    pool = SlabPool()
    pool.window()[:3] = b"abc"
    assert bytes(pool.window()[:3]) == b"abc"


def test_slabs_nobody_views_are_used_again():
    pool = SlabPool()
    first = id(pool._slab)
    use_up_a_slab(pool)
    use_up_a_slab(pool)
    pool.window()
    assert first in {id(pool._slab), *map(id, pool._retired)}
    known = {id(pool._slab), *map(id, pool._retired)}
    for _ in range(20):
        use_up_a_slab(pool)
        pool.window()
        assert id(pool._slab) in known


def test_one_view_keeps_its_slab_from_being_used_again():
    pool = SlabPool()
    view = fill(pool, 7)
    for _ in range(30):
        use_up_a_slab(pool)
        pool.window()[:1000] = bytes(1000)
    assert bytes(view) == b"\7" * 1000
