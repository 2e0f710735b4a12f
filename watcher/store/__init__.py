"""What must survive: the ledger (every state and every move) and the spool (a folder for each mail)."""
