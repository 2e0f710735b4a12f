"""Ledger to server: in goes one change wanted on the server; out comes whether it is so now."""
