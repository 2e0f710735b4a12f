from pathlib import Path

import pytest

from watcher.config import load
from watcher.errors import ConfigError

ACCOUNT = '[account.support]\naddress = "support@example.com"\npassword = { command = "pass show support" }\n'


class File:
    """A configuration file in a directory of its own."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "config.toml"
        self.handlers = folder / "handlers"
        self.handlers.mkdir()

    def write(self, text, *, account=ACCOUNT, mode=0o600):
        """`account` goes first, on three lines, so what a test writes starts on line 4."""
        self.path.write_text(account + text, encoding="utf-8")
        self.path.chmod(mode)
        return self.path

    def load(self, text, *, account=ACCOUNT, mode=0o600, strict=False):
        return load(self.write(text, account=account, mode=mode), strict=strict)

    def problems(self, text, *, account=ACCOUNT, mode=0o600, strict=False):
        """All problems, without the path before each."""
        with pytest.raises(ConfigError) as refused:
            self.load(text, account=account, mode=mode, strict=strict)
        assert all("\n" not in problem for problem in refused.value.problems)
        return [problem.removeprefix(f"{self.path}:") for problem in refused.value.problems]

    def warnings(self, text, *, account=ACCOUNT):
        return [warning.removeprefix(f"{self.path}:") for warning in self.load(text, account=account).warnings]


@pytest.fixture
def file(tmp_path):
    return File(tmp_path)
