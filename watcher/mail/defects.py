"""What was wrong with a mail, in words."""

__all__ = ["Defects"]


class Defects:
    """A growing list of remarks, each once, at most `most` of them. No remark holds text from the mail."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._remarks: dict[str, None] = {}

    def add(self, remark: str) -> None:
        """Note `remark`, unless it is noted already or there are too many."""
        if len(self._remarks) < self._most:
            self._remarks[remark] = None

    def listed(self) -> tuple[str, ...]:
        """All remarks, in the order of their finding."""
        return tuple(self._remarks)
