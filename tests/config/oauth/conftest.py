"""An authorization server, and an account that has logged in there."""

import time

import pytest

from tests.fakes.oauth_server import OAuthServer
from watcher.config.oauth import ManagedToken, TokenFile
from watcher.config.oauth.grant import Grant
from watcher.config.secret import Secret


@pytest.fixture
def server():
    with OAuthServer() as running:
        yield running


@pytest.fixture
def token(server, tmp_path):
    """Makes the token of an account whose access token is over; with nothing in the file if `refresh` is None."""

    def make(refresh="", *, left=-1.0, previous="", life=3600.0, **changes):
        file = TokenFile.of(tmp_path / "state", "support")
        if refresh is not None:
            save(file, refresh or server.consent(), left=left, previous=previous, life=life)
        return ManagedToken("support", "me@example.com", server.client(**changes), file)

    return make


def save(file, refresh, *, access="c4n4ry-access-old", left=-1.0, previous="", life=3600.0):
    """Writes a grant whose access token ends in `left` seconds."""
    expires = time.time() + left
    grant = Grant(
        client_id="watcher-id",
        access=Secret(access),
        issued=expires - life,
        expires=expires,
        refresh=Secret(refresh),
        previous=Secret(previous) if previous else None,
    )
    with file.locked(), file.draft() as write:
        write(grant)
