"""Access tokens for mailboxes (OAuth 2.0, RFC 6749): consent once, then renewed by ourselves.

Spoken with the standard library. A client library was weighed (authlib, over requests): what is needed are three forms
and their JSON, while what is hard lies outside of what one offers: to tell a question never sent from an answer lost,
and to save a token before it is used. It would also bring certificates of its own in place of the system's.
"""

from watcher.config.oauth.browser import consent_in_browser
from watcher.config.oauth.client import OAuthClient
from watcher.config.oauth.device import DeviceCode, ask_for_code, consent_on_device
from watcher.config.oauth.keeping import TokenFile
from watcher.config.oauth.managed import ManagedToken

__all__ = [
    "DeviceCode",
    "ManagedToken",
    "OAuthClient",
    "TokenFile",
    "ask_for_code",
    "consent_in_browser",
    "consent_on_device",
]
