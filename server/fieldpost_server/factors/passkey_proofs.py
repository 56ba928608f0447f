"""Proofs of passkeys: what browsers are asked for, and whether their answers are right (WebAuthn).

Only `passkeys` imports it, and late: what it needs takes a good part of a second to load.
"""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from fieldpost.users import User
from fieldpost_server.factors.relying_party import RelyingParty

_FAULTS = (WebAuthnException, ValueError, KeyError, TypeError, AttributeError, OverflowError)
"""What py_webauthn raises for what is no answer of a browser."""


@dataclass(frozen=True, slots=True)
class Made:
    """A passkey that a browser has made: its id, its public key and its count, as they are kept."""

    credential: str
    public_key: str
    sign_count: int


def creation_options(
    user: User, handle: str, party: RelyingParty, challenge: bytes, app: str, known: Sequence[str]
) -> Any:
    """Return what a browser needs to make a passkey, as JSON data.

    Args:
        user: for whom.
        handle: what authenticators call her.
        party: for which site.
        challenge: what its answer has to hold.
        app: what people call the site.
        known: passkeys that she has; a device that holds one makes no other.
    """
    options = generate_registration_options(
        rp_id=party.site,
        rp_name=app,
        user_id=base64url_to_bytes(handle),
        user_name=user.name,
        user_display_name=user.label,
        challenge=challenge,
        exclude_credentials=_descriptors(known),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.PREFERRED,
            user_verification=UserVerificationRequirement.PREFERRED,
        ),
    )
    return json.loads(options_to_json(options))


def request_options(
    party: RelyingParty, challenge: bytes, known: Sequence[str], *, verified: bool
) -> Any:
    """Return what a browser needs to sign with one of the known passkeys, as JSON data."""
    wish = UserVerificationRequirement
    options = generate_authentication_options(
        rp_id=party.site,
        challenge=challenge,
        allow_credentials=_descriptors(known),
        user_verification=wish.REQUIRED if verified else wish.PREFERRED,
    )
    return json.loads(options_to_json(options))


def made_by(answer: dict[str, Any], party: RelyingParty, challenge: bytes) -> Made | None:
    """Return the passkey of a browser's answer; None where it answers something else."""
    try:
        found = verify_registration_response(
            credential=answer,
            expected_challenge=challenge,
            expected_rp_id=party.site,
            expected_origin=party.origin,
        )
    except _FAULTS:
        return None
    public_key = base64.b64encode(found.credential_public_key).decode()
    return Made(bytes_to_base64url(found.credential_id), public_key, found.sign_count)


def signed_by(
    answer: dict[str, Any], passkey: Made, party: RelyingParty, challenge: bytes, *, verified: bool
) -> int | None:
    """Return how often the passkey has signed now; None where it has not signed this challenge.

    A copy that counts by itself is none: its count is not above the one that is known.
    """
    try:
        done = verify_authentication_response(
            credential=answer,
            expected_challenge=challenge,
            expected_rp_id=party.site,
            expected_origin=party.origin,
            credential_public_key=base64.b64decode(passkey.public_key),
            credential_current_sign_count=passkey.sign_count,
            require_user_verification=verified,
        )
    except _FAULTS:
        return None
    return done.new_sign_count


def _descriptors(known: Sequence[str]) -> list[PublicKeyCredentialDescriptor]:
    return [PublicKeyCredentialDescriptor(base64url_to_bytes(each)) for each in known]
