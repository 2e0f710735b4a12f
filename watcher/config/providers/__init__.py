"""What is known of mail providers: hosts, logins, limits, quirks, and what to tell people. Data, and its look-up."""

from watcher.config.providers.catalogue import hint, profile_for, profiles, refusals
from watcher.config.providers.causes import REMEDIES, Cause, Remedy
from watcher.config.providers.discovery import Resolver, discover
from watcher.config.providers.profile import Found, Login, Profile, Quirk, Refusal, Server

__all__ = [
    "REMEDIES",
    "Cause",
    "Found",
    "Login",
    "Profile",
    "Quirk",
    "Refusal",
    "Remedy",
    "Resolver",
    "Server",
    "discover",
    "hint",
    "profile_for",
    "profiles",
    "refusals",
]
