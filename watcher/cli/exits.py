"""Exit codes of the commands, after sysexits.h where it has one. systemd does not restart after 78."""

from collections.abc import Mapping

__all__ = ["CONFIG", "FAILED", "MEANINGS", "OK", "STATE", "STORAGE", "USAGE"]

OK = 0
FAILED = 1
USAGE = 2
STORAGE = 74
STATE = 75
CONFIG = 78

MEANINGS: Mapping[int, str] = {
    OK: "All went well.",
    FAILED: "What was asked for could not be done; the reason is on standard error.",
    USAGE: "The command line is wrong.",
    STORAGE: "The disk failed or is full; the next start recovers.",
    STATE: "Another daemon works on this state directory, or others may write to it.",
    CONFIG: "The configuration or the ledger can't be used; a person must act first.",
}
