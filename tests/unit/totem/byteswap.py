"""
Turn a frame into what a machine of the other byte order would have sent.

Works on field widths alone and knows nothing of the codec under test.
"""

HEADER = (2, 1, 1, 1, 4, 4)
RING_ID = (4, 8)
FIXED = {
    0: (*HEADER, 4, 4, 4, 4, *RING_ID, 4, 4, 4, 4),
    1: (*HEADER, 4, 4, 4, *RING_ID, 4, 4),
    2: (*HEADER, 4, *RING_ID),
    3: (*HEADER, 4, 4, 4, 8),
    4: (*HEADER, 4, *RING_ID, 4, 4, 4),
    5: (*HEADER, *RING_ID),
}
RTR_ITEM = (*RING_ID, 4)
COMMIT_ENTRY = (*RING_ID, 4, 4, 4)
ENCAPSULATED = 1


def swap_frame(frame: bytes) -> bytes:
    """Swap a whole frame of a little-endian sender, totempg and its group names included."""
    kind = frame[3]
    fixed = FIXED[kind]
    size = sum(fixed)
    rest = frame[size:]
    if kind == 0:
        tail = _swap(rest, RTR_ITEM * (len(rest) // 16))
    elif kind == 1:
        tail = swap_frame(rest) if frame[4] == ENCAPSULATED else swap_packet(rest)
    elif kind == 3:
        tail = _swap(rest, (4,) * (len(rest) // 4))
    elif kind == 4:
        entries = len(rest) // 28
        tail = _swap(rest, (4,) * entries + COMMIT_ENTRY * entries)
    else:
        tail = b""
    return _swap(frame[:size], fixed) + tail


def swap_packet(packet: bytes) -> bytes:
    """Swap a totempg packet of a little-endian sender; what is after the group names stays."""
    count = int.from_bytes(packet[6:8], "little")
    widths = [2, 2, 1, 1, 2, *([2] * count)]
    lens = [int.from_bytes(packet[8 + 2 * i : 10 + 2 * i], "little") for i in range(count)]
    for i, size in enumerate(lens):
        at = sum(widths)
        if i == 0 and packet[5]:
            widths.append(size)
        else:
            groups = int.from_bytes(packet[at : at + 2], "little")
            widths += [2] * (1 + groups)
            widths += [1] * (size - 2 * (1 + groups))
    if count and packet[5]:
        head = 8 + 2 * count
        swapped = _swap(packet[:head], widths[: 5 + count])
        rest = _swap(packet[head + lens[0] :], widths[6 + count :])
        return swapped + packet[head : head + lens[0]] + rest
    return _swap(packet, widths)


def _swap(data: bytes, widths: tuple[int, ...] | list[int]) -> bytes:
    assert sum(widths) == len(data)
    swapped = bytearray()
    at = 0
    for width in widths:
        swapped += data[at : at + width][::-1]
        at += width
    return bytes(swapped)
