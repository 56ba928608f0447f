"""Versions and limits that device and server agree on.

History of the protocol:
    1: first edition.
    2: signed receipts, `settled` and `notes` in them; `/sync/receipts`; what the server lacks of a
       device, and what devices report of that; envelopes of format 2.
    3: `limits` in the settings of a device; `/sync/image` in parts that go on (`Range`, `If-Match`,
       `ETag`); `Fieldpost-Server` on every answer; tables that fail in `failed`, in the numbers of
       rows of an image, and in cursors.
    4: `kind` in signed receipts; 503 `office_busy` with `Retry-After`; `/sync/standing`; the order
       to wipe in `device_revoked`, and `/sync/handed-over`; `/sync/hand-in`; `lock_after_s` in the
       settings of a device.

History of the envelope's format:
    1: first edition.
    2: `after` (what it builds on), `supersedes` (what it repairs), `voids` (what it discards), and
       the operation `look`.
"""

PROTOCOL = 4
OLDEST_PROTOCOL = 1

WIRE_DIGESTS = {
    2: "sha256:a699e94b5fb59b9da5fbf5d10824c4eca065842baa382ec2d6c2214c51a0614d",
    3: "sha256:0cb61a928690b48a2ba17f4089adaa35e8be3a45cff1c3c924deb913ec4cfd98",
    4: "sha256:22c0d59be9949177bebe8c0313f7467ce8265e49635bc77d97fc3d3d50b58bab",
}
"""By protocol, the digest of the schemas of all that travels (`fieldpost_server.sync.schemas`).

Where the schemas have changed, the protocol has: it gets a new number, a line of history above, and
its digest here. A digest that is here never changes once its protocol was released.
"""

FORMAT = 2
"""Version of the envelope's form; `upcasting.py` knows how to read each older one."""

MAX_ENVELOPE_BYTES = 2 << 20
MAX_OPERATIONS = 5_000
MAX_TEXT_CHARACTERS = 1_000_000
MAX_ATTACHMENTS = 500
MAX_AFTER = 100
MAX_SUPERSEDED = 100
MAX_PUSH_LINES = 10_000
MAX_ASKED = 1_000
"""Envelopes that a device may ask about at once."""
MAX_REPORTED = 200
MAX_REPORT_BYTES = 1 << 20
"""Receipts that a device reports at once as forgotten; one that is larger is not reported."""

DEVICE_HEADER = "fieldpost-device"
PROTOCOL_HEADER = "fieldpost-protocol"
ARRIVED_HEADER = "fieldpost-arrived"
HANDING_OVER_HEADER = "fieldpost-handing-over"
"""A revoked device sends what it has left, as it was ordered; it gets nothing."""
SHELL_HEADER = "fieldpost-shell"
ELSEWHERE_HEADER = "fieldpost-elsewhere"
SERVER_HEADER = "fieldpost-server"
"""On every answer of the server: what lacks it came from something between."""
PAGE_HEADER = "fieldpost-page"
"""On every page that one of our handlers made, and on nothing that a user brought."""
DRAFT_HEADER = "fieldpost-draft"
ZONE_HEADER = "fieldpost-zone"
MARK_HEADER = "fieldpost-mark"
"""A field worker's device says how she sees moments and numbers, where the server makes a page."""
UNREACHABLE_HEADER = "fieldpost-unreachable"
"""The shell asks the device for the page that says so."""
