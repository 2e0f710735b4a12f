"""A password, a token or consent: how each is written, and every way in which it can be refused."""

from pathlib import Path

import pytest

from watcher.config import PlainSource, Secret
from watcher.config.oauth import ManagedToken, OAuthClient, TokenFile
from watcher.config.oauth.issuer import issuers
from watcher.config.secret import CommandSource, FileSource, KeyringSource
from watcher.errors import SecretUnavailable

BARE = '[account.support]\naddress = "support@example.com"\n'
STATE = '[watcher]\nstate = "/srv/state"\n'
GOOGLE = '[oauth.google]\nclient_id = "1234"\nclient_secret = { file = "google" }\n'


def load(file, text):
    config = file.load(STATE + text, account=BARE)
    return config.accounts[0]


# --- what is read -----------------------------------------------------------------------------------------------------


def test_google(file):
    account = file.load(GOOGLE + STATE, account=BARE + 'oauth = "google"\n').accounts[0]
    client = OAuthClient(
        provider="google",
        client_id="1234",
        client_secret=FileSource(file.path.parent / "google", "client secret"),
        auth_uri="https://accounts.google.com/o/oauth2/v2/auth",
        token_uri="https://oauth2.googleapis.com/token",
        device_uri="https://oauth2.googleapis.com/device/code",
        scope="https://mail.google.com/",
    )
    assert account.oauth == client
    assert account.password is None
    tokens = TokenFile(Path("/srv/state/tokens/support.json"))
    assert account.token == ManagedToken("support", "support@example.com", client, tokens)


def test_microsoft_with_a_tenant(file):
    account = load(file, '[account.support.oauth]\nprovider = "microsoft"\nclient_id = "x"\ntenant = "example.com"\n')
    assert account.oauth.auth_uri == "https://login.microsoftonline.com/example.com/oauth2/v2.0/authorize"
    assert account.oauth.token_uri == "https://login.microsoftonline.com/example.com/oauth2/v2.0/token"
    assert account.oauth.device_uri == "https://login.microsoftonline.com/example.com/oauth2/v2.0/devicecode"
    assert account.oauth.scope == (
        "https://outlook.office.com/IMAP.AccessAsUser.All https://outlook.office.com/SMTP.Send offline_access"
    )


def test_the_tenant_is_anybodys_if_none_is_given(file):
    account = load(file, '[account.support.oauth]\nprovider = "microsoft"\nclient_id = "x"\n')
    assert "/common/" in account.oauth.token_uri


def test_what_is_given_counts_more_than_the_providers(file):
    account = load(file, '[account.support.oauth]\nprovider = "google"\nclient_id = "x"\nscope = "a b"\n')
    assert (account.oauth.scope, account.oauth.token_uri) == ("a b", "https://oauth2.googleapis.com/token")


def test_a_server_of_ones_own_for_several_accounts(file):
    config = file.load(
        """
        [account.a]
        address = "a@x.example"
        oauth = "office"
        [account.b]
        address = "b@x.example"
        user = "bee"
        oauth = "office"
        [oauth.office]
        client_id = "w"
        device_uri = "https://id.x.example/device"
        token_uri = "https://id.x.example/token"
        scope = "imap"
        ca_file = "ca.pem"
        """,
        account="",
    )
    a, b = config.accounts
    assert a.oauth == b.oauth
    assert (a.oauth.issuer, a.oauth.ca_file) == (None, file.path.parent / "ca.pem")
    assert (a.token.file.path.name, b.token.file.path.name, b.token.user) == ("a.json", "b.json", "bee")


@pytest.mark.parametrize(
    ("written", "source"),
    [
        ('{ command = "get token" }', CommandSource(("get", "token"), "token")),
        ('{ file = "/t" }', FileSource(Path("/t"), "token")),
        ('{ keyring = "mail" }', KeyringSource("mail", "support@example.com")),
        ('"abc"', PlainSource(Secret("abc"))),
    ],
)
def test_a_token_from_elsewhere(file, written, source):
    account = file.load("", account=f"{BARE}token = {written}\n").accounts[0]
    assert (account.token, account.password, account.oauth) == (source, None, None)


def test_what_it_is_stands_in_the_message(file):
    account = file.load("", account=f'{BARE}token = {{ command = "false" }}\n').accounts[0]
    with pytest.raises(SecretUnavailable, match=r"^false ended with 1 and told no token; "):
        account.token.fetch()


def test_the_data_of_the_providers():
    assert set(issuers()) == {"google", "microsoft"}
    for issuer in issuers().values():
        assert len(issuer.register) < 200
        assert all(len(hint) < 250 for hint in issuer.hints.values())


# --- what is refused --------------------------------------------------------------------------------------------------

HTTPS = "must begin with https:// and name a host"
SOURCES = (
    'does not tell where tokens come from; allowed is provider = "google" or "microsoft", '
    "or your own token_uri, scope, and auth_uri or device_uri"
)
ID = (
    "is missing; register a program of your own with the provider and write the client id it gets "
    "(docs/configuration.md tells where)"
)
PLACES = 'or one of { command = "…" }, { file }, { env }, { credential }, { keyring }'
TABLE = "must be text or a table with one key; allowed is"
TENANT = 'is not a tenant; allowed is a domain, an id, or "common", "organizations", "consumers"'
GOGLE = "is not known; did you mean 'google'?; or write auth_uri, token_uri and scope"
NO_PLACE = "'fil' is not a source of a client secret; did you mean 'file'?"
NAMES_NONE = "names no section [oauth.NAME]; known here: google, microsoft"
KEYS = "provider, client_id, client_secret, tenant, auth_uri, token_uri, device_uri, scope, ca_file"


@pytest.mark.parametrize("place", ["[account.support.oauth]", "[oauth.office]"])
@pytest.mark.parametrize(
    ("written", "key", "problem"),
    [
        ("provider = 'gogle'\n", "provider", GOGLE),
        ("client_id = 5\n", "client_id", "is not text; allowed is text in quotes"),
        ("client_id = ''\n", "client_id", "is empty"),
        ("client_secret = 5\n", "client_secret", f'{TABLE} "the client secret" {PLACES}'),
        ("client_secret = { fil = 'x' }\n", "client_secret", NO_PLACE),
        ("tenant = 'a/b'\n", "tenant", TENANT),
        ("tenant = 'x?y'\n", "tenant", TENANT),
        ("token_uri = 'http://x'\n", "token_uri", HTTPS),
        ("auth_uri = 'https://'\n", "auth_uri", HTTPS),
        ("device_uri = 'https://a b'\n", "device_uri", HTTPS),
        ("scope = 5\n", "scope", "is not text; allowed is text in quotes"),
        ("ca_file = 5\n", "ca_file", "is not a path; allowed is text in quotes"),
        ("client = 'x'\n", "client", "is unknown; did you mean 'client_id'?"),
        ("zzzzz = 'x'\n", "zzzzz", f"is unknown; known here: {KEYS}"),
    ],
)  # fmt: skip
def test_problems_of_a_client(file, place, written, key, problem):
    given = "" if written.startswith("client_id") else "client_id = 'x'\n"
    text = f"{place}\n{written}{given}"
    account = BARE if "account" in place else BARE + "password = 'x'\n"
    line = account.count("\n") + 2
    assert file.problems(text, account=account) == [f"{line}: {place.strip('[]')}.{key}: {problem}"]


@pytest.mark.parametrize("place", ["[account.support.oauth]", "[oauth.office]"])
@pytest.mark.parametrize(
    "written",
    ["", "auth_uri = 'https://x'", "token_uri = 'https://x'\nscope = 'a'", "token_uri = 'https://x'\nauth_uri = 'https://x'"],
)  # fmt: skip
def test_a_client_that_does_not_tell_where(file, place, written):
    account = BARE if "account" in place else BARE + "password = 'x'\n"
    line = account.count("\n") + 1
    problems = file.problems(f"{place}\nclient_id = 'x'\n{written}\n", account=account)
    assert problems == [f"{line}: {place.strip('[]')}: {SOURCES}"]


@pytest.mark.parametrize(
    ("written", "problems"),
    [
        ("oauth = { provider = 'google' }", [f"3: account.support.oauth.client_id: {ID}"]),
        ("oauth = 'office'", [f"3: account.support.oauth: {NAMES_NONE}"]),
        ("oauth = 5", ["3: account.support.oauth: is not a table; allowed is a table such as { KEY = … }"]),
        ("token = 5", [f'3: account.support.token: {TABLE} "the token" {PLACES}']),
        ("token = 'x'\npassword = 'x'",
         ["3: account.support.token: stands beside password; allowed is one of password, token, oauth"]),
        ("password = 'x'\noauth = 'google'\ntoken = 'x'\n[oauth.google]\nclient_id = 'x'",
         ["4: account.support.oauth: stands beside password; allowed is one of password, token, oauth",
          "5: account.support.token: stands beside password; allowed is one of password, token, oauth"]),
    ],
)  # fmt: skip
def test_problems_of_an_account(file, written, problems):
    assert file.problems(written + "\n", account=BARE) == problems


def test_who_wants_google_is_told_how_to_register(file):
    [problem] = file.problems("oauth = 'google'\n", account=BARE)
    assert problem == (
        "3: account.support.oauth: needs a program of your own: make an OAuth client of type Desktop app at "
        'https://console.cloud.google.com/apis/credentials, then write [oauth.google] with client_id = "…"'
    )


def test_all_is_told_at_once(file):
    problems = file.problems(
        "oauth = 'office'\nport = 0\n[oauth.google]\n[oauth.microsoft]\nclient_id=''\n", account=BARE
    )
    assert [problem.split(": ")[1] for problem in problems] == [
        "account.support.oauth",
        "account.support.port",
        "oauth.google.client_id",
        "oauth.microsoft.client_id",
    ]


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("token = 'c4n4ry'\n", "3: account.support.token"),
        ("oauth = { provider = 'google', client_id = 'x', client_secret = 'c4n4ry' }\n",
         "3: account.support.oauth.client_secret"),
        ("password = { env = 'X' }\n[oauth.google]\nclient_id = 'x'\nclient_secret = 'c4n4ry'\n",
         "6: oauth.google.client_secret"),
    ],
)  # fmt: skip
def test_a_secret_that_others_may_read(file, written, key):
    told = f"{key}: others may read it here (mode 0644): chmod 600 {file.path}"
    assert file.problems(written, account=BARE, mode=0o644) == [told]
    account = file.load(written, account=BARE, mode=0o600).accounts[0]
    assert "c4n4ry" not in repr(account)
