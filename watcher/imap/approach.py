"""From an account, as it is configured, to where its server listens and what is shown there."""

from watcher.config.accounts import Account
from watcher.config.secret import Secret
from watcher.imap.dial import Endpoint
from watcher.imap.identity import Identity
from watcher.imap.sasl import Credential, Proof

__all__ = ["credential_of", "endpoint_of"]


def endpoint_of(account: Account) -> Endpoint:
    """The server of `account`, and the way to it."""
    identity = Identity(account.certificate, account.key) if account.certificate else None
    proxy = account.proxy.towards(account.host) if account.proxy else None
    return Endpoint(account.host, account.port, account.tls, account.ca_file, identity, proxy, account.compress)


def credential_of(account: Account, secret: Secret, way: str = "") -> Credential:
    """The user of `account` with `secret` as the proof; by the mechanism `way` if its server still offers that."""
    proof = Proof.TOKEN if account.token else Proof.PASSWORD if account.password else Proof.CERTIFICATE
    return Credential(account.user, secret, proof, way)
