"""The IMAP edge: in go endpoint, user and secret; out come verbs, whole lines and errors of ours. No policy here."""
