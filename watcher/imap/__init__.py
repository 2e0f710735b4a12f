"""
The IMAP edge: in go endpoint, user and secret; out come verbs, whole lines and errors of ours. No policy here.

    the way        approach: from an account; names, dial, tunnel, tls, identity, greeting: to where TLS stands
    the bytes      wire (with deflate, landing), under imapclient; tidings: what every line tells of the folder
    login          sasl, login
    the verbs      link: looking at mails and changing them; folders: opening and listing; talk: asking, IDLE, leaving
    the answers    answers, outlines: taken apart; signals, refusals: what words mean; faults: as errors of ours
    the doctor     probe: the same way step by step; chain: certificates to read
"""
