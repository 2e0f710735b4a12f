"""Server to ledger: in comes a hint that something is new; out goes each mail, once, durably, with the cursor."""
