"""Faults and warnings of one file, collected while it is read and checked."""

from corosync_tw.config.directive import SectionConfig


class Report:
    """
    All that is to be said about a file.

    :ivar faults: the file cannot be used.
    :ivar warnings: it can, but not all of it has the effect that was meant.
    """

    def __init__(self, file: str) -> None:
        self.file = file
        self._blamed: set[tuple[int, str]] = set()
        self.faults: list[str] = []
        self.warnings: list[str] = []

    def fault(self, section: SectionConfig, key: str, text: str) -> None:
        """
        Say that a directive is wrong.

        :param key: ``""`` for the section as a whole; an absent key is said at the section's line.
        :param text: what is wrong, what would be right.
        """
        self.fault_at(section.line_of(key), _name(section, key), text)

    def warning(self, section: SectionConfig, key: str, text: str) -> None:
        """Say that a directive has less effect than meant; parameters as for ``fault``."""
        self.warning_at(section.line_of(key), _name(section, key), text)

    def fault_at(self, line_no: int, name: str, text: str) -> None:
        """
        Say that something without a section of its own is wrong.

        Of several faults of one key the first stands: the rest mostly follow from it.
        """
        if (line_no, name) not in self._blamed:
            self._blamed.add((line_no, name))
            self.faults.append(f"{self.file}:{max(line_no, 1)}: {name}: {text}")

    def warning_at(self, line_no: int, name: str, text: str) -> None:
        """Say that something without a section of its own has less effect than meant."""
        self.warnings.append(f"{self.file}:{max(line_no, 1)}: {name}: {text}")


def _name(section: SectionConfig, key: str) -> str:
    return ".".join(part for part in (section.path, key) if part)
