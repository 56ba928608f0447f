"""The commands `fieldpost envelopes …`: list, show and check what the inbox holds."""

import argparse
import json
from collections.abc import Callable
from contextlib import AbstractContextManager

import sqlalchemy as sa

from fieldpost.errors import Code, NotFound, problem
from fieldpost.wire.receipts import Outcome
from fieldpost_server.cli.replay import ReplayCommand
from fieldpost_server.inbox.chain_audit import Chain, check_chain, known_devices
from fieldpost_server.settings import Settings
from fieldpost_server.signing.receipt_audit import ReceiptAudit
from fieldpost_server.storage import tables
from fieldpost_server.storage.database import Database

Opened = Callable[[Settings], AbstractContextManager[Database]]
Say = Callable[[str], None]

_ENVELOPE = tables.envelope
_LISTED = ("id", "device", "number", "user", "page", "saved_at", "outcome")


class EnvelopeCommands:
    """See the module.

    Args:
        opened: opens the database of settings.
        say: prints a line.
    """

    def __init__(self, opened: Opened, say: Say) -> None:
        self.opened = opened
        self.say = say

    def add_to(self, commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
        """Add the commands to the parser's."""
        group = commands.add_parser("envelopes", help="what devices sent")
        below = group.add_subparsers(required=True)
        listing = below.add_parser("list", help="list envelopes, newest first")
        listing.add_argument("--device")
        listing.add_argument("--user")
        listing.add_argument("--outcome", choices=[str(outcome) for outcome in Outcome])
        listing.add_argument("--limit", type=int, default=50)
        listing.set_defaults(run=self.list)
        show = below.add_parser("show", help="show one envelope with its receipt")
        show.add_argument("id")
        show.set_defaults(run=self.show)
        verify = below.add_parser("verify", help="check chains and signatures")
        verify.add_argument("device", nargs="*", help="all where it is left out")
        verify.set_defaults(run=self.verify)
        ReplayCommand(self.opened, self.say).add_to(below)

    def list(self, settings: Settings, options: argparse.Namespace) -> None:
        """Print a line for each envelope, its parts separated by tabs."""
        query = sa.select(*(_ENVELOPE.c[name] for name in _LISTED))
        for name in ("device", "user", "outcome"):
            if (wanted := getattr(options, name)) is not None:
                query = query.where(_ENVELOPE.c[name] == wanted)
        query = query.order_by(_ENVELOPE.c.received_at.desc(), _ENVELOPE.c.number.desc())
        with self.opened(settings) as database, database.read_session() as session:
            for row in session.execute(query.limit(options.limit)):
                self.say("\t".join(str(part) for part in row))

    def show(self, settings: Settings, options: argparse.Namespace) -> None:
        """Print an envelope, its receipt, whose signature that has, when it arrived, as JSON."""
        query = sa.select(_ENVELOPE).where(_ENVELOPE.c.id == options.id)
        with self.opened(settings) as database, database.read_session() as session:
            row = session.execute(query).first()
            receipts = ReceiptAudit(session)
        if row is None:
            raise NotFound([problem(Code.NO_SUCH_ENVELOPE, envelope=options.id)])
        receipt = json.loads(row.receipt)
        found = {
            "envelope": json.loads(row.content),
            "receipt": receipt,
            "signature": receipts.judge(receipt).to_json(),
            "received_at": row.received_at.isoformat(),
        }
        self.say(json.dumps(found, indent=2, ensure_ascii=False))

    def verify(self, settings: Settings, options: argparse.Namespace) -> int:
        """Print what is wrong with the chains of devices; 1 where anything is."""
        with self.opened(settings) as database, database.read_session() as session:
            devices = known_devices(session)
            if unknown := sorted({*options.device} - {*devices}):
                raise NotFound([problem(Code.NO_SUCH_DEVICE, device=name) for name in unknown])
            chains = [check_chain(session, name) for name in options.device or devices]
        for chain in chains:
            self._say_chain(chain)
        return int(any(chain.faults for chain in chains))

    def _say_chain(self, chain: Chain) -> None:
        state = f"{len(chain.faults)} wrong" if chain.faults else "sound"
        self.say(f"{chain.device}: {chain.envelopes} envelopes up to number {chain.last}, {state}")
        if chain.missing:
            named = ", ".join(map(str, chain.missing))
            more = chain.missing_count - len(chain.missing)
            self.say(f"  never arrived: {named}" + (f" and {more} more" if more else ""))
        for words in chain.faults:
            self.say(f"  {words}")
