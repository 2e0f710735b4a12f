"""Handler runs: in goes one claimed job; out comes how it ended. Whatever the handler does, the daemon lives."""
