"""What others wrote, made so that a terminal shows it and obeys nothing in it."""


def printable(text: str) -> str:
    """Put a question mark for each control character, end of a line and mark of direction."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


def printable_lines(text: str) -> str:
    """Do the same and keep the ends of lines."""
    return "\n".join(map(printable, text.split("\n")))


def escaped(data: bytes) -> str:
    """
    Write printable ASCII as it is, and everything else in hexadecimal, as stock tools do.

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
