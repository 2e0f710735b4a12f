"""Bytes to mail folder: in goes a raw mail that may be hostile; out come text, parts, facts and what was wrong."""
