"""
Makes `docs/providers.md` from the profiles, so that data and page are one:

    python -m tests.config.providers_page > docs/providers.md
"""

import sys
from collections.abc import Iterator
from itertools import groupby

from watcher.config.oauth.issuer import issuers
from watcher.config.providers import Cause, Login, Profile, Quirk, Server, profiles
from watcher.config.smtp import known_relays

__all__ = ["page"]

TOP = """\
# Mail providers

What to do at your provider before the daemon can log in, in plain words, and what is known of each. For the providers
below `address` and `password` are all an account needs: host, port, TLS, user name and renewal are known, and each can
still be set. If your domain is hosted at one of them, set `host` to its IMAP server; the rest follows from that. Where
you sign in (OAuth2) there is no password but a consent: `imap-watcher init ADDRESS` writes what that needs
([configuration.md](configuration.md#oauthname) has it all), and `imap-watcher login ACCOUNT` asks for it.

```toml
[account.support]
address = "support@gmail.com"
password = { command = "pass show gmail-app-password" }
```

This page is made from the files in `watcher/config/providers/profiles/`, which also name their sources. To add a
provider or mend an entry, change a file there and run `make docs`.
"""

SENDING = """
## Sending

An account sends through its provider's SMTP server above, by the same login: what is said there of app passwords,
authorization codes and consent holds for both. Try it with `imap-watcher send --to ADDRESS --text Hello`; add `--trace`
to see the dialogue, and `imap-watcher doctor --sending --circle` for the whole way, with what receivers look up of you.
Mailbox providers allow few mails: Gmail about 500 recipients a day, QQ Mail and NetEase fewer; set `daily` and `rate`
in `[smtp.NAME]` ([configuration.md](configuration.md#smtpname)) to stay below. For more there are relays, chosen with
`relay`:

```toml
[smtp.bulk]
relay = "sendgrid"
from = "Example Shop <shop@example.com>"
password = { file = "sendgrid-key" }
```

The domain of `from` must be verified with the relay, and its DNS must let the relay send: the SPF record as below, and
the DKIM records that the relay shows.

| Relay | `relay` | Server | Login | SPF | Limit of a new account |
|---|---|---|---|---|---|
"""

LOGINS = {
    Login.PASSWORD: "your own password",
    Login.APP_PASSWORD: "an app password",
    Login.CODE: "an authorization code",
    Login.OAUTH: "OAuth2",
}
QUIRKS = {
    Quirk.ID_FIRST: "wants to know the program before it opens a folder, which is done for you",
    Quirk.NO_IDLE: "may offer no IDLE: then mails are looked for every `poll` seconds",
    Quirk.NO_UIDNEXT: "does not tell UIDNEXT, which is made up for",
}

#: Domains of one provider that are named one by one; of more only these many are.
SHOWN = 12


def page() -> str:
    """The whole page."""
    grouped = groupby(profiles(), key=lambda profile: profile.name)
    whole = "".join("\n" + "\n".join(section(list(sites))) + "\n" for _, sites in grouped)
    return TOP + whole + SENDING + "\n".join(relay_rows()) + "\n"


def relay_rows() -> Iterator[str]:
    """The services that only send, and what each wants."""
    for name, relay in known_relays().items():
        way = {"implicit": "", "starttls": " STARTTLS", "none": " without TLS"}[relay.tls]
        limits = [
            f"{relay.rate} mails a minute" * bool(relay.rate),
            f"{relay.daily} recipients a day" * bool(relay.daily),
        ]
        known = ", ".join(filter(None, limits)) or "none is known"
        spf = f"`include:{relay.spf}`" if relay.spf else ""
        server = f"`{relay.host}` {relay.port}{way}"
        yield f"| {relay.title} | `{name}` | {server} | {capital(relay.advice)}. | {spf} | {known} |"


def section(sites: list[Profile]) -> Iterator[str]:
    """One provider: what to do, the facts, the servers, and what is told in trouble."""
    first = sites[0]
    yield f"## {first.title}\n"
    for number, step in enumerate(first.steps, 1):
        yield f"{number}. {step}"
    if first.where:
        yield f"\nWhere: <{first.where}>"
    yield "\n| For | IMAP | SMTP | User name |\n|---|---|---|---|"
    for site in sites:
        user = "what stands before the `@`" if site.user == "local" else "the whole address"
        yield f"| {reach(site)} | {place(site.imap)} | {place(site.smtp)} | {user} |"
    yield "\n" + "\n".join(f"- {fact}" for fact in facts(first))
    if first.hints:
        yield "\n| Trouble | What to do |\n|---|---|"
        for cause in Cause:
            if cause in first.hints:
                yield f"| {cause} | {capital(first.hints[cause])}. |"


def facts(profile: Profile) -> Iterator[str]:
    yield f"Takes {', or '.join(LOGINS[login] for login in profile.logins)}."
    if issuer := issuers().get(profile.oauth):
        yield f"To sign in, once for all your accounts: {issuer.register}."
    yield f"{profile.links} connections of one account at once leave room for other programs."
    if profile.scarce:
        yield "Logins or sessions are scarce: others that poll the same mailbox may be refused."
    if profile.renew < 1440:
        yield f"IDLE is renewed every {profile.renew / 60:.0f} minutes at the latest."
    for quirk in sorted(profile.quirks):
        yield f"{capital(QUIRKS[quirk])}."


def reach(site: Profile) -> str:
    """Whom the site is for."""
    domains = ", ".join(site.domains[:SHOWN]) + (
        f" and {len(site.domains) - SHOWN} more" if site.domains[SHOWN:] else ""
    )
    hosted = f"domains with mail exchangers in {', '.join(site.mx)}" if site.mx else ""
    return "; ".join(filter(None, (domains, hosted))) or "all other domains"


def place(server: Server) -> str:
    host = server.host.replace("{domain}", "DOMAIN")
    return f"`{host}` {server.port}{' STARTTLS' if server.tls == 'starttls' else ''}"


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


if __name__ == "__main__":
    sys.stdout.write(page())
