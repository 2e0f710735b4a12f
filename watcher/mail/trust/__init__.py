"""
Whether the sender of a mail may be believed.

    header -> sender_of     the one address in From, or a refusal
    header -> fields_of_ours  the Authentication-Results that only our border can have written -> read_results
    raw    -> signatures    if wanted, the DKIM signatures looked at by ourselves
    all    -> judge         verified, unverified or failed, with the reason in words
"""

from watcher.mail.trust.judge import TRUST_NOBODY, OwnCheck, Signed, TrustPolicy, judge

__all__ = ["TRUST_NOBODY", "OwnCheck", "Signed", "TrustPolicy", "judge"]
