"""Exit codes of the commands, after sysexits.h where it has one. systemd does not restart after 78."""

__all__ = ["CONFIG", "FAILED", "OK", "STATE", "STORAGE", "USAGE"]

OK = 0
FAILED = 1  #: what was asked for could not be done; the reason is on standard error
USAGE = 2  #: the command line is wrong
STORAGE = 74  #: the disk failed; the next start recovers
STATE = 75  #: another daemon works on this state directory
CONFIG = 78  #: configuration or ledger can't be used; a person must act first
