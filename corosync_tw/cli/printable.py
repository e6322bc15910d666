"""Bytes of any kind on a terminal, as stock tools write them."""


def escaped(data: bytes) -> str:
    """
    Write printable ASCII as it is, and everything else in hexadecimal.

    Source: Corosync tools/corosync-cmapctl.c print_binary_key, corosync-cpgtool.c fprint_group.
    """
    return "".join(map(_escaped_byte, data))


def _escaped_byte(byte: int) -> str:
    if byte == ord("\\"):
        return "\\\\"
    if 0x20 <= byte < 0x7F:
        return chr(byte)
    # A signed char, printed as an unsigned int.
    return f"\\x{byte if byte < 0x80 else byte | 0xFFFFFF00:02X}"
