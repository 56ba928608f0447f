"""Signing in with a provider of identities (OpenID Connect): what it says, and who that is here."""
