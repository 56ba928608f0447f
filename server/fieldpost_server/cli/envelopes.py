"""The commands `fieldpost envelopes …`: list, show and check what the inbox holds."""

import json
from typing import Any

import sqlalchemy as sa

from fieldpost.errors import Code, NotFound, problem
from fieldpost.wire.receipts import Outcome
from fieldpost_server.cli.command import Command, declare, group
from fieldpost_server.cli.replay import declare_replay
from fieldpost_server.inbox.chain_audit import Chain, check_chain, known_devices
from fieldpost_server.signing.receipt_audit import ReceiptAudit
from fieldpost_server.storage import tables

_ENVELOPE = tables.envelope
_LISTED = ("id", "device", "number", "user", "page", "saved_at", "outcome")


def declare_envelopes(commands: Any) -> None:
    """Declare the commands."""
    below = group(commands, "envelopes", "what devices sent")
    listing = declare(below, "list", _list, "list envelopes, newest first")
    listing.add_argument("--device")
    listing.add_argument("--user")
    listing.add_argument("--outcome", choices=[str(outcome) for outcome in Outcome])
    listing.add_argument("--limit", type=int, default=50)
    show = declare(below, "show", _show, "show one envelope with its receipt")
    show.add_argument("id")
    verify = declare(below, "verify", _verify, "check chains and signatures")
    verify.add_argument("device", nargs="*", help="all where it is left out")
    declare_replay(below)


def _list(command: Command) -> None:
    """Print a line for each envelope, its parts separated by tabs."""
    options = command.options
    query = sa.select(*(_ENVELOPE.c[name] for name in _LISTED))
    for name in ("device", "user", "outcome"):
        if (wanted := getattr(options, name)) is not None:
            query = query.where(_ENVELOPE.c[name] == wanted)
    query = query.order_by(_ENVELOPE.c.received_at.desc(), _ENVELOPE.c.number.desc())
    with command.reading() as session:
        for row in session.execute(query.limit(options.limit)):
            command.say("\t".join(str(part) for part in row))


def _show(command: Command) -> None:
    """Print an envelope, its receipt, whose signature that has, when it arrived, as JSON."""
    identity = command.options.id
    with command.reading() as session:
        row = session.execute(sa.select(_ENVELOPE).where(_ENVELOPE.c.id == identity)).first()
        receipts = ReceiptAudit(session)
    if row is None:
        raise NotFound([problem(Code.NO_SUCH_ENVELOPE, envelope=identity)])
    receipt = json.loads(row.receipt)
    command.show(
        {
            "envelope": json.loads(row.content or "null"),
            "receipt": receipt,
            "signature": receipts.judge(receipt).to_json(),
            "received_at": row.received_at.isoformat(),
        }
    )


def _verify(command: Command) -> int:
    """Print what is wrong with the chains of devices; 1 where anything is."""
    asked = command.options.device
    with command.reading() as session:
        devices = known_devices(session)
        if unknown := sorted({*asked} - {*devices}):
            raise NotFound([problem(Code.NO_SUCH_DEVICE, device=name) for name in unknown])
        chains = [check_chain(session, name) for name in asked or devices]
    for chain in chains:
        _say_chain(command, chain)
    return int(any(chain.faults for chain in chains))


def _say_chain(command: Command, chain: Chain) -> None:
    state = f"{len(chain.faults)} wrong" if chain.faults else "sound"
    command.say(f"{chain.device}: {chain.envelopes} envelopes up to number {chain.last}, {state}")
    if chain.missing:
        named = ", ".join(map(str, chain.missing))
        more = chain.missing_count - len(chain.missing)
        command.say(f"  never arrived: {named}" + (f" and {more} more" if more else ""))
    for words in chain.faults:
        command.say(f"  {words}")
