"""The bytes that are signed are the same on both sides."""

import json

import pytest

from fieldpost.errors import Code, problem
from fieldpost.text.canonical import canonical
from fieldpost.wire.receipts import NewKey, Outcome, Receipt, receipt_from_json
from fieldpost.wire.signatures import endorsed_bytes, key_id, signed_bytes, with_signature

RECEIPT = Receipt(
    "e1",
    "d-1",
    7,
    "sha256:77ab",
    Outcome.CONFLICT,
    (problem(Code.DELETED_BY_OTHERS, detail={"was": 1.0, "größe": "½"}),),
    (NewKey("visit", -1, 9_007_199_254_740_993),),
    "2026-11-23T07:15:09.004+00:00",
    ("N", 2),
)


def test_a_signature_is_over_everything_but_itself() -> None:
    """Every part of a receipt is signed, the key's name included (R33)."""
    data = {**RECEIPT.to_json(), "key": "k1"}
    signed = {**data, "signature": "c2lnbmVk"}

    assert signed_bytes(data) == signed_bytes(signed)
    for name in data:
        assert signed_bytes(data) != signed_bytes({**data, name: "other"}), name


def test_the_way_to_the_device_changes_no_signed_byte() -> None:
    """Escapes, white space and the order of parts on the way do no harm (R33)."""
    data = {**RECEIPT.to_json(), "key": "k1"}
    travelled = json.loads(json.dumps(dict(reversed(data.items())), indent=2))

    assert signed_bytes(data) == signed_bytes(travelled)


def test_the_signed_text_is_canonical() -> None:
    """Another implementation can make it: sorted names, no white space, UTF-8 (R33)."""
    text = '{"envelope":"e1","outcome":"größer"}'
    assert text.encode() == signed_bytes({"outcome": "größer", "signature": "x", "envelope": "e1"})
    assert b'{"id":"0011","public":"AAAA"}' == endorsed_bytes("0011", "AAAA")
    assert "66687aadf862bd77" == key_id(bytes(32))


def test_half_a_character_cannot_be_signed() -> None:
    """What has no bytes is refused, not signed as something else (R33)."""
    with pytest.raises(ValueError, match="surrogates"):
        signed_bytes({"envelope": "\ud800"})


def test_the_signature_has_its_place_in_the_canonical_text() -> None:
    """The signed text is canonical as a whole, so that it is the same wherever it is made (R33)."""
    data = {**RECEIPT.to_json(), "key": "k1"}
    signed = with_signature(canonical(data), "c2ln")

    assert canonical({**data, "signature": "c2ln"}) == signed
    assert signed_bytes(data) == signed_bytes(json.loads(signed))


def test_a_signature_stays_with_its_text() -> None:
    """A receipt that is read back and changed carries no signature of what it was (R33)."""
    data = {**RECEIPT.to_json(), "key": "k1", "signature": "c2ln"}

    assert RECEIPT == receipt_from_json(data)
    assert "" == receipt_from_json(data).signed
