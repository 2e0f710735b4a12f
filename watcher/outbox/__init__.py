"""
Ledger to the world: in goes one change wanted on the IMAP server, or one mail for one recipient; out comes whether it
is so now. What handlers want sent is written and made durable here, too.
"""
