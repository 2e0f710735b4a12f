"""
Server to ledger: in comes a hint that something is new; out goes each mail, once, durably, with the cursor.

    who watches    accounts, steward (by plan), watch: one folder on a link of its own; rounds: many on one link
    a link         enter: a turn at the door of the host, then access; deaf: whether it can still be believed
    what is new    anchor: where to begin; intake (by catchup, sift): what to fetch; receive: fetched, and in the ledger
    waiting        idle: for news; pace, patience: how long; lounge: parks who waits, so that no thread does
    at hand        post, with pulse for status, caution, and what all share of the house
"""
