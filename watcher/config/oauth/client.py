"""`[oauth.NAME]`: as whom we ask for tokens, and where."""

from typing import Annotated

from pydantic import AfterValidator
from pydantic.dataclasses import dataclass

from watcher.config.oauth.issuer import Issuer, https, issuers
from watcher.config.passwords import ClientSecret
from watcher.config.shape import STRICT, FilePath, Text, alternatives

__all__ = ["OAuthClient"]


def _issuer(name: str) -> str:
    if name not in issuers():
        raise ValueError(f"is not known; {alternatives(name, issuers())}; or write auth_uri, token_uri and scope")
    return name


def _tenant(name: str) -> str:
    if not name.replace("-", "").replace(".", "").isalnum() or not name.isascii():
        raise ValueError('is not a tenant; allowed is a domain, an id, or "common", "organizations", "consumers"')
    return name


Uri = Annotated[Text, AfterValidator(https)]


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class OAuthClient:
    """What the administrator registered with an authorization server. We ship none of our own."""

    #: Whose endpoints and scope. Leave it out for a server of your own.
    #: Default: NAME, if it is one of these.
    #: Allowed: `"google"`, `"microsoft"`.
    provider: Annotated[Text, AfterValidator(_issuer)] = ""
    #: Of the program as you registered it.
    client_id: Text
    #: If it was given one. Google's desktop apps have one.
    #: Allowed: see [Passwords](#passwords).
    client_secret: ClientSecret | None = None
    #: Microsoft: whose accounts may sign in.
    #: Default: `common`.
    #: Allowed: a domain, an id, `"organizations"`, `"consumers"`.
    tenant: Annotated[Text, AfterValidator(_tenant)] = "common"
    #: Page on which the user consents.
    #: Default: the provider's.
    #: Allowed: an address with `https://`.
    auth_uri: Uri = ""
    #: Where tokens come from.
    #: Default: the provider's.
    #: Allowed: an address with `https://`.
    token_uri: Uri = ""
    #: Where device codes come from.
    #: Default: the provider's.
    #: Allowed: an address with `https://`.
    device_uri: Uri = ""
    #: What to consent to. The provider's is for IMAP and SMTP.
    #: Default: the provider's.
    #: Allowed: words with blanks between.
    scope: Text = ""
    #: PEM file of the authorities to trust in place of the system's, for a server of your own.
    #: Default: the system's.
    ca_file: FilePath | None = None

    def __post_init__(self) -> None:
        """Fills what follows from the provider. Raises ValueError for what nobody tells."""
        issuer = self.issuer
        for key in ("auth_uri", "token_uri", "device_uri", "scope"):
            if issuer and not getattr(self, key):
                object.__setattr__(self, key, getattr(issuer, key).replace("{tenant}", self.tenant))
        if not self.token_uri or not self.scope or not (self.auth_uri or self.device_uri):
            known = " or ".join(f'"{name}"' for name in issuers())
            raise ValueError(
                f"does not tell where tokens come from; allowed is provider = {known}, "
                "or your own token_uri, scope, and auth_uri or device_uri"
            )

    @property
    def issuer(self) -> Issuer | None:
        """What is known of the provider; None if it is the administrator's own."""
        return issuers().get(self.provider)

    def hint(self, code: str) -> str:
        """What to do about an error of the authorization server, "" if nothing is known."""
        return self.issuer.hints.get(code, "") if self.issuer else ""
