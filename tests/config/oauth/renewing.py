"""A process that renews a token without end, and hands out each one; it is there to be killed."""

from multiprocessing.connection import Connection
from pathlib import Path

from watcher.config.oauth import ManagedToken, OAuthClient, TokenFile
from watcher.config.secret import PlainSource, Secret


def renew(token_uri: str, secret: str, ca_file: Path, path: Path, out: Connection) -> None:
    client = OAuthClient(
        client_id="watcher-id",
        client_secret=PlainSource(Secret(secret)),
        token_uri=token_uri,
        device_uri=token_uri,
        scope="imap",
        ca_file=ca_file,
    )
    token = ManagedToken("support", "me", client, TokenFile(path))
    while True:
        got = token.fetch()
        out.send(got.reveal())
        token.reject(got)
