"""The catalogue of everything that can go wrong: what happened, where, what to do."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Code(StrEnum):
    """Names of the catalogue's entries; clients and logs may depend on them."""

    # a value in a form or an envelope
    REQUIRED = "required"
    NOT_A_NUMBER = "not_a_number"
    NOT_A_WHOLE_NUMBER = "not_a_whole_number"
    AMBIGUOUS_NUMBER = "ambiguous_number"
    NOT_A_DATE = "not_a_date"
    NOT_A_TIME = "not_a_time"
    NOT_A_MOMENT = "not_a_moment"
    HOUR_TWICE = "hour_twice"
    HOUR_SKIPPED = "hour_skipped"
    NOT_A_YES_OR_NO = "not_a_yes_or_no"
    NOT_A_CHOICE = "not_a_choice"
    NOT_TEXT = "not_text"
    NOT_AN_ID = "not_an_id"
    NOT_AN_ATTACHMENT = "not_an_attachment"
    NOT_THE_FILE = "not_the_file"
    TOO_SMALL = "too_small"
    TOO_LARGE = "too_large"
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    NOT_A_MULTIPLE = "not_a_multiple"
    TOO_MANY_DIGITS = "too_many_digits"
    NOT_ALLOWED = "not_allowed"
    NO_SUCH_ROW = "no_such_row"
    NOT_UNIQUE = "not_unique"
    RULE = "rule"
    RULE_FAILED = "rule_failed"
    SAVED_ALREADY = "saved_already"
    STILL_REFERRED_TO = "still_referred_to"
    # an envelope
    MALFORMED = "malformed"
    TOO_BIG = "too_big"
    TOO_DEEP = "too_deep"
    UNKNOWN_FORMAT = "unknown_format"
    WRONG_DIGEST = "wrong_digest"
    WRONG_DEVICE = "wrong_device"
    WRONG_USER = "wrong_user"
    WRONG_APP = "wrong_app"
    BROKEN_CHAIN = "broken_chain"
    NUMBER_TAKEN = "number_taken"
    OTHER_CONTENT = "other_content"
    ID_TAKEN = "id_taken"
    UNKNOWN_PAGE = "unknown_page"
    UNKNOWN_MODEL = "unknown_model"
    UNKNOWN_FIELD = "unknown_field"
    PAGE_FORBIDDEN = "page_forbidden"
    OPERATION_FORBIDDEN = "operation_forbidden"
    FIELD_FORBIDDEN = "field_forbidden"
    ROW_FORBIDDEN = "row_forbidden"
    CHANGED_BY_OTHERS = "changed_by_others"
    DELETED_BY_OTHERS = "deleted_by_others"
    ROWS_CHANGED_BY_OTHERS = "rows_changed_by_others"
    MADE_SINCE = "made_since"
    CHANGED_AGAIN = "changed_again"
    OVERWRITTEN = "overwritten"
    ALREADY_DELETED = "already_deleted"
    LOOKS_MISSING = "looks_missing"
    RULES_CHANGED = "rules_changed"
    MODEL_CHANGED = "model_changed"
    TEMPORARY_TAKEN = "temporary_taken"
    DEPENDS_ON_DISCARDED = "depends_on_discarded"
    ALREADY_APPLIED = "already_applied"
    ALREADY_SETTLED = "already_settled"
    NOT_YOUR_ENVELOPE = "not_your_envelope"
    WAS_DISCARDED = "was_discarded"
    WAS_SUPERSEDED = "was_superseded"
    PREDECESSOR_MISSING = "predecessor_missing"
    PREDECESSOR_OPEN = "predecessor_open"
    ATTACHMENT_MISSING = "attachment_missing"
    REPLAY_FAILED = "replay_failed"
    # sign-in, seats, sync
    SIGN_IN_FAILED = "sign_in_failed"
    SIGN_IN_THROTTLED = "sign_in_throttled"
    SIGN_IN_BUSY = "sign_in_busy"
    SIGNED_OUT = "signed_out"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    FOREIGN_ORIGIN = "foreign_origin"
    FOREIGN_HOST = "foreign_host"
    NO_SEAT_LEFT = "no_seat_left"
    LAST_ADMIN = "last_admin"
    NO_SUCH_USER = "no_such_user"
    NO_SUCH_ROLE = "no_such_role"
    NO_SUCH_ENVELOPE = "no_such_envelope"
    NO_SUCH_DEVICE = "no_such_device"
    NOT_WAITING = "not_waiting"
    USER_EXISTS = "user_exists"
    PASSWORD_TOO_SHORT = "password_too_short"  # noqa: S105 - a code, no password
    PASSWORD_COMMON = "password_common"  # noqa: S105 - as above
    PASSWORD_WRONG = "password_wrong"  # noqa: S105 - as above
    PASSWORD_DUE = "password_due"  # noqa: S105 - as above
    ACCOUNT_OFF = "account_off"
    OWN_ACCOUNT = "own_account"
    INVITATION_OVER = "invitation_over"
    CODE_WRONG = "code_wrong"
    SIGN_IN_OVER = "sign_in_over"
    FACTOR_DUE = "factor_due"
    FACTOR_NEEDED = "factor_needed"
    FACTORS_FULL = "factors_full"
    FACTOR_UNREADABLE = "factor_unreadable"
    PASSKEY_FAILED = "passkey_failed"
    PASSKEYS_ELSEWHERE = "passkeys_elsewhere"
    CONFIRM_FIRST = "confirm_first"
    PROVIDER_FAILED = "provider_failed"
    PROVIDER_UNKNOWN = "provider_unknown"
    PROVIDER_TAKEN = "provider_taken"
    UNKNOWN_DEVICE = "unknown_device"
    DEVICE_REVOKED = "device_revoked"
    DEVICE_OF_ANOTHER = "device_of_another"
    FORGOTTEN = "forgotten"
    RESTORE_UNCONFIRMED = "restore_unconfirmed"
    BAD_CURSOR = "bad_cursor"
    OFFICE_BUSY = "office_busy"
    QUOTA_USED = "quota_used"
    REFUSED_FULL = "refused_full"
    TOO_SLOW = "too_slow"
    UNKNOWN_PROTOCOL = "unknown_protocol"
    UPLOAD_OFFSET = "upload_offset"
    UPLOAD_HASH = "upload_hash"
    IMAGE_GONE = "image_gone"
    TABLE_UNDECIDED = "table_undecided"
    TABLE_UNREAD = "table_unread"
    NOT_A_PICTURE = "not_a_picture"
    SERVER_TROUBLE = "server_trouble"
    # the device
    STORAGE_FULL = "storage_full"
    STORAGE_FAILED = "storage_failed"
    TAKEN_OVER = "taken_over"
    UNREACHABLE = "unreachable"
    NOT_OURS = "not_ours"
    SYNC_STOPPED = "sync_stopped"
    NOT_SENT = "not_sent"
    FILE_NOT_SENT = "file_not_sent"
    FILE_REFUSED = "file_refused"
    FILE_GONE = "file_gone"
    RECEIPT_UNVERIFIED = "receipt_unverified"
    IDENTITY_CHANGED = "identity_changed"
    UNEXPECTED = "unexpected"
    # an app's definition
    DEFINITION = "definition"
    SCOPE_FAILED = "scope_failed"
    CHECK_FAILED = "check_failed"
    UNREADABLE = "unreadable"
    CHECK_BROKEN = "check_broken"
    APP_MISSING = "app_missing"
    APP_NOT_IMPORTABLE = "app_not_importable"
    APP_NOT_FOUND = "app_not_found"
    APP_FAILED = "app_failed"
    APP_NOT_ON_DEVICES = "app_not_on_devices"
    MODEL_MISFIT = "model_misfit"
    NOT_INSTALLED = "not_installed"
    DATABASE_URL = "database_url"
    DATABASE_UNREACHABLE = "database_unreachable"
    DATABASE_FAILED = "database_failed"
    FILES_FAILED = "files_failed"
    # a backup
    BACKUP_FAILED = "backup_failed"
    BACKUP_BUSY = "backup_busy"
    BACKUP_NO_ROOM = "backup_no_room"
    BACKUP_DAMAGED = "backup_damaged"
    BACKUP_UNFIT = "backup_unfit"
    BACKUP_OTHER = "backup_other"
    NO_BACKUP = "no_backup"
    NO_BACKUP_PLACE = "no_backup_place"
    DATABASE_DAMAGED = "database_damaged"
    FILES_MISSING = "files_missing"
    PROGRAM_MISSING = "program_missing"
    RESTORE_TARGET = "restore_target"
    RESTORE_FAILED = "restore_failed"
    HALF_RESTORED = "half_restored"


_FORM: Mapping[Code, str] = {
    Code.REQUIRED: "Fill in {label}.",
    Code.NOT_A_NUMBER: "{label} must be a number, such as 12.5. Correct it.",
    Code.NOT_A_WHOLE_NUMBER: "{label} must be a whole number, such as 12. Correct it.",
    Code.AMBIGUOUS_NUMBER: (
        "{label}: '{text}' can be read in two ways. Write {whole} or {fraction}."
    ),
    Code.NOT_A_DATE: "{label} must be a date, such as 2026-11-23. Correct it.",
    Code.NOT_A_TIME: "{label} must be a time, such as 14:30. Correct it.",
    Code.NOT_A_MOMENT: "{label} must be a date and time, such as 2026-11-23 14:30. Correct it.",
    Code.HOUR_TWICE: (
        "{label}: clocks go back on {day}, so {time} comes twice. "
        "Choose the first ({first}) or the second ({second})."
    ),
    Code.HOUR_SKIPPED: (
        "{label}: clocks go forward on {day}, so there is no {time}. Write {before} or {after}."
    ),
    Code.NOT_A_YES_OR_NO: "{label} must be yes or no. Choose one.",
    Code.NOT_A_CHOICE: "{label} is not one of the choices. Choose one of the list.",
    Code.NOT_TEXT: "{label} must be text without control characters{where}. Correct it.",
    Code.NOT_AN_ID: "{label} must be an identifier (UUID). Correct it.",
    Code.NOT_AN_ATTACHMENT: "{label} could not be read as a picture or file. Choose it again.",
    Code.NOT_THE_FILE: "{label} names a file that did not arrive with it. Choose it again.",
    Code.TOO_SMALL: "{label} must be {limit}. Correct it.",
    Code.TOO_LARGE: "{label} must be {limit}. Correct it.",
    Code.TOO_SHORT: "{label} needs at least {limit}. Add to it.",
    Code.TOO_LONG: "{label} may have at most {limit}. Shorten it.",
    Code.NOT_A_MULTIPLE: "{label} must be a multiple of {limit}. Correct it.",
    Code.TOO_MANY_DIGITS: "{label} has too many digits: at most {limit}. Shorten it.",
    Code.NOT_ALLOWED: "{label} has a value that is not allowed. Correct it.",
    Code.NO_SUCH_ROW: "{label}: the chosen entry does not exist any more. Choose another.",
    Code.NOT_UNIQUE: "Another record already has this {label}. Choose a different one.",
    Code.RULE: "{text}",
    Code.RULE_FAILED: (
        "The rule '{rule}' could not be checked ({cause}). "
        "Tell your office; the app needs a repair."
    ),
    Code.SAVED_ALREADY: (
        "This form was saved before, and has been changed since. Open the saved record and change "
        "it there."
    ),
    Code.STILL_REFERRED_TO: (
        "This cannot be deleted: {count} of {label} still refer to it. Change or delete them first."
    ),
}

_ENVELOPE: Mapping[Code, str] = {
    Code.MALFORMED: "The envelope cannot be read: {reason}. Nothing of it was applied.",
    Code.TOO_BIG: "{what} is larger than {limit}. Nothing of it was applied; make it smaller.",
    Code.TOO_DEEP: "The envelope is nested too deeply. Nothing of it was applied.",
    Code.UNKNOWN_FORMAT: (
        "The envelope has format {format}; this server knows {known}. Update the server."
    ),
    Code.WRONG_DIGEST: (
        "The envelope's content does not fit its digest: it was damaged or changed on the way. "
        "Send it again."
    ),
    Code.WRONG_DEVICE: "The envelope belongs to another device. Send it from the device it names.",
    Code.WRONG_USER: "The envelope was saved by {user}. Sign in as {user} to send it.",
    Code.WRONG_APP: "The envelope belongs to the app '{app}', which is not served here.",
    Code.BROKEN_CHAIN: (
        "The envelope does not follow the one before it: this device's history was changed. "
        "Export the envelope and ask your office."
    ),
    Code.NUMBER_TAKEN: (
        "Number {number} of this device was used by another envelope. "
        "Export the envelope and ask your office."
    ),
    Code.OTHER_CONTENT: (
        "An envelope with this id but other content was received before. "
        "This one was refused; export it and ask your office."
    ),
    Code.ID_TAKEN: (
        "Another device has used the id of this envelope. Sync: it is sent again under another id."
    ),
    Code.UNKNOWN_PAGE: "There is no page '{page}'. Sync to get the current pages.",
    Code.UNKNOWN_MODEL: "'{model}' is not part of the page '{page}'. Nothing was applied.",
    Code.UNKNOWN_FIELD: (
        "'{model}' has no field '{field}'. Nothing was applied; sync and try again."
    ),
    Code.PAGE_FORBIDDEN: "You may not open '{page}'. Ask your administrator for access.",
    Code.OPERATION_FORBIDDEN: "You may not {do} {label} on this page. Ask your administrator.",
    Code.FIELD_FORBIDDEN: "You may not change {label} on this page. Nothing was applied.",
    Code.ROW_FORBIDDEN: "This record is not one of yours. Nothing was applied.",
    Code.CHANGED_BY_OTHERS: (
        "{label} was changed by somebody else meanwhile: it is now {theirs}, this entry says "
        "{mine}. Decide which one holds."
    ),
    Code.DELETED_BY_OTHERS: "This record was deleted by somebody else meanwhile.",
    Code.ROWS_CHANGED_BY_OTHERS: (
        "Somebody else added or removed rows of {label} meanwhile. Look at them, then save again."
    ),
    Code.MADE_SINCE: (
        "The office's data was put back to an earlier state, and this record ({label}) was made "
        "since. Check that it is the one you mean."
    ),
    Code.CHANGED_AGAIN: (
        "Somebody else changed this once more while you repaired it. "
        "Look at what is marked, then save again."
    ),
    Code.OVERWRITTEN: (
        "{label} had been changed to {theirs} by somebody else; this entry replaced it."
    ),
    Code.ALREADY_DELETED: "This record had been deleted by somebody else already.",
    Code.LOOKS_MISSING: (
        "This page wants to know what the form showed, and the envelope does not say. "
        "Open the record again and save."
    ),
    Code.RULES_CHANGED: (
        "The app was updated after this was saved: its rules or fields are other ones now. "
        "Read what follows with that in mind."
    ),
    Code.MODEL_CHANGED: (
        "{what} was in the app when this was saved and is not any more. "
        "Open the record, look at what is left, and save again."
    ),
    Code.TEMPORARY_TAKEN: (
        "A new row of this was stored before, by another entry. Nothing was applied twice; "
        "open the record and look, then discard this."
    ),
    Code.DEPENDS_ON_DISCARDED: (
        "This belongs to a record that the office does not have: its entry was discarded or never "
        "made. Discard this too, or save it anew."
    ),
    Code.ALREADY_APPLIED: (
        "The entry that this repairs or discards was applied at the office in the meantime. "
        "Open the record and change it there."
    ),
    Code.ALREADY_SETTLED: (
        "{user} has settled this in the meantime ({how}). Discard this, or save it anew."
    ),
    Code.NOT_YOUR_ENVELOPE: (
        "This was saved by somebody else. Only a supervisor can repair or discard it."
    ),
    Code.WAS_DISCARDED: "This was discarded on its device before it arrived. Nothing was applied.",
    Code.WAS_SUPERSEDED: "A repaired entry took the place of this one before it arrived.",
    Code.PREDECESSOR_MISSING: "This waits for an earlier entry that has not arrived yet.",
    Code.PREDECESSOR_OPEN: (
        "This builds on an earlier entry that needs attention. It is applied when that is settled."
    ),
    Code.ATTACHMENT_MISSING: "This waits for {count} of its pictures or files to arrive.",
    Code.REPLAY_FAILED: "The office could not apply this: {cause}. Nothing of it was applied.",
}

_DOOR: Mapping[Code, str] = {
    Code.SIGN_IN_FAILED: "User name or password is wrong. Check both and try again.",
    Code.SIGN_IN_THROTTLED: "Too many attempts. Wait {seconds} seconds, then try again.",
    Code.SIGN_IN_BUSY: "Many people sign in at this moment. Wait a few seconds, then try again.",
    Code.SIGNED_OUT: "You are signed out. Sign in and try again; your work is kept.",
    Code.FORBIDDEN: "You may not open this. Ask your administrator for access.",
    Code.NOT_FOUND: "There is nothing here. It may have been deleted; choose another.",
    Code.METHOD_NOT_ALLOWED: "This address cannot be used in that way.",
    Code.FOREIGN_ORIGIN: "The request came from another site and was refused.",
    Code.FOREIGN_HOST: "This server answers at {origin} only. Open that address.",
    Code.NO_SEAT_LEFT: (
        "All {seats} field-worker seats are taken. Take the role from somebody else, "
        "or raise the number of seats."
    ),
    Code.LAST_ADMIN: (
        "{user} is the only administrator: without one nobody could give the role back. "
        "Give somebody else the role '{role}' first."
    ),
    Code.NO_SUCH_USER: "There is no user '{user}'. Check the name.",
    Code.NO_SUCH_ROLE: "There is no role '{role}'. Choose one of: {known}.",
    Code.NO_SUCH_ENVELOPE: "No envelope '{envelope}' has arrived. Check the id.",
    Code.NO_SUCH_DEVICE: "No envelope of a device '{device}' has arrived. Check the id.",
    Code.NOT_WAITING: (
        "The envelope '{envelope}' was decided before: it is '{outcome}'. "
        "Only one that waits can be applied; leave out --apply to see what it would come to."
    ),
    Code.USER_EXISTS: "There is already a user '{user}'. Choose another name.",
    Code.PASSWORD_TOO_SHORT: "The password needs at least {limit} characters.",
    Code.PASSWORD_COMMON: (
        "This password is one of the first that anybody would try. Choose another one, such as "
        "three or four words that do not belong together."
    ),
    Code.PASSWORD_WRONG: "The present password is wrong. Check it and try again.",
    Code.PASSWORD_DUE: (
        "Your password was set by somebody else, and you need one of your own. "
        "Open {address} in the browser, sign in there and choose it."
    ),
    Code.ACCOUNT_OFF: (
        "Your account is switched off. Ask your administrator; what you have saved on a device "
        "is kept there."
    ),
    Code.OWN_ACCOUNT: "You cannot switch off your own account. Ask another administrator.",
    Code.INVITATION_OVER: (
        "This link was used before, or has run out. Ask your administrator for a new one."
    ),
    Code.CODE_WRONG: (
        "The code is wrong, has run out, or was used before. Wait for the next one, and type that."
    ),
    Code.SIGN_IN_OVER: "Signing in took too long, or was tried too often. Begin again.",
    Code.FACTOR_DUE: (
        "Your role needs a second factor, and you have none yet. "
        "Open {address} in the browser, sign in there and set it up."
    ),
    Code.FACTOR_NEEDED: (
        "Your role needs a second factor, and this is the only one. Add another one first."
    ),
    Code.FACTORS_FULL: (
        "You have {limit} of these, and there is no place for more. Remove one first."
    ),
    Code.FACTOR_UNREADABLE: (
        "The office cannot read your authenticator's secret any more. Use another second factor or "
        "a recovery code, or ask your administrator to reset them."
    ),
    Code.PASSKEY_FAILED: "The passkey could not be checked. Try again, or choose another way.",
    Code.PASSKEYS_ELSEWHERE: (
        "Passkeys work at an address with https, or at localhost on the office's own machine, and "
        "this office has none that they can be for. Choose another way, or ask your administrator."
    ),
    Code.CONFIRM_FIRST: "Show that it is you, then this goes on.",
    Code.PROVIDER_FAILED: (
        "Signing in with the provider did not work: {cause}. Try again, or ask your administrator."
    ),
    Code.PROVIDER_UNKNOWN: (
        "Nobody here is linked to that sign-in. Sign in with your password and link it on the page "
        "of your account, or ask your administrator."
    ),
    Code.PROVIDER_TAKEN: "That sign-in is linked to somebody else here. Ask your administrator.",
    Code.UNKNOWN_DEVICE: "There is no such device. Choose one of the list.",
    Code.DEVICE_REVOKED: "This device was revoked by an administrator. Ask your office.",
    Code.DEVICE_OF_ANOTHER: (
        "This device keeps another user's work. Sign in as that user to go on; nothing is lost."
    ),
    Code.FORGOTTEN: (
        "The office was put back to an earlier state: it has got this device's entries up to "
        "number {number} only. They are sent again."
    ),
    Code.RESTORE_UNCONFIRMED: (
        "The office has forgotten work of this device, for the second time within a day. "
        "An administrator has to say that its data was put back. Nothing is lost; ask your office."
    ),
    Code.BAD_CURSOR: "The place to continue from could not be read. A full download follows.",
    Code.OFFICE_BUSY: (
        "The office is busy at this moment. Nothing is lost; try again in {seconds} seconds."
    ),
    Code.QUOTA_USED: (
        "Your share of {what} for today ({limit}) is used up. It is free again in {wait}. "
        "Nothing is lost; try again then, or ask your administrator."
    ),
    Code.REFUSED_FULL: (
        "The office keeps no more of your entries that could not be applied ({limit}). This one "
        "waits on your device. Repair or discard some of those that need attention."
    ),
    Code.TOO_SLOW: "The request did not arrive in time. Nothing is lost; try again.",
    Code.UNKNOWN_PROTOCOL: (
        "This device speaks protocol {protocol}; the server knows {known}. Update."
    ),
    Code.UPLOAD_OFFSET: "The upload continues at byte {offset}. Send from there.",
    Code.UPLOAD_HASH: "The file arrived damaged and was thrown away. Send it again.",
    Code.IMAGE_GONE: "This download is not kept any more. Begin it again.",
    Code.TABLE_UNDECIDED: (
        "The office cannot say at the moment which rows of '{label}' are yours, so it sends none; "
        "everything else is up to date. The next sync tries again. Tell your office."
    ),
    Code.TABLE_UNREAD: (
        "The office cannot read '{label}' at the moment, so what is new in it is not here; "
        "everything else is up to date. The next sync tries again. Tell your office."
    ),
    Code.NOT_A_PICTURE: "The file is not a picture of type {type}. Choose another.",
    Code.SERVER_TROUBLE: "The office has trouble of its own. Nothing is lost; try again later.",
}

_DEVICE: Mapping[Code, str] = {
    Code.STORAGE_FULL: (
        "This device has no space left, so this was not saved. Your entries are still here: "
        "free some space, then save again."
    ),
    Code.STORAGE_FAILED: (
        "This device could not store it ({cause}), so this was not saved. "
        "Your entries are still here: try again."
    ),
    Code.TAKEN_OVER: (
        "This app was opened in another tab, so this one saves nothing any more. Your form is kept "
        "as a draft: go on in the other tab, or load this page again."
    ),
    Code.UNREACHABLE: "The office cannot be reached. Nothing is lost; try again with a connection.",
    Code.NOT_OURS: (
        "There is no connection to the office: something between has answered in its place, such "
        "as the sign-in page of a network. Nothing is lost; sign in to the network, then try again."
    ),
    Code.SYNC_STOPPED: (
        "The sync was stopped. What has arrived stays, and the rest goes with the next sync."
    ),
    Code.NOT_SENT: "This could not be sent yet: {reason} The next sync tries it again.",
    Code.FILE_NOT_SENT: "“{name}” could not be sent yet: {reason} The next sync tries it again.",
    Code.FILE_REFUSED: (
        "The office does not take “{name}”: {reason} Choose another file, or take this one out."
    ),
    Code.FILE_GONE: (
        "“{name}” is not on this device any more. Choose it again, or take it out of the form."
    ),
    Code.RECEIPT_UNVERIFIED: (
        "{count} of the office's answers could not be verified, so they changed nothing. "
        "Nothing is lost: sync again. If it stays so, tell your office."
    ),
    Code.IDENTITY_CHANGED: (
        "The office's identity has changed, and nobody whom this device trusts vouches for the new "
        "one. Ask your office whether that is right; then sign in again. Nothing is lost."
    ),
    Code.UNEXPECTED: "Something unexpected went wrong ({cause}). Nothing was saved; try again.",
}

_DEFINITION: Mapping[Code, str] = {
    Code.DEFINITION: "{text}",
    Code.SCOPE_FAILED: (
        "Nobody can say which records of '{page}' are yours ({cause}), so none is shown. "
        "Tell your office; the app needs a repair."
    ),
    Code.CHECK_FAILED: (
        "{label} could not be checked ({limit}). Tell your office; the app needs a repair."
    ),
    Code.UNREADABLE: (
        "{label} holds a value that cannot be read, so this record cannot be changed here. "
        "Ask your office to have it corrected in the database."
    ),
    Code.CHECK_BROKEN: (
        "The office's database does not allow this value of {label} ({check}). Correct it."
    ),
    Code.APP_MISSING: (
        "No app is named. Set FIELDPOST_APP to where your App is, as package.module:attribute, "
        "or give --app."
    ),
    Code.APP_NOT_IMPORTABLE: (
        "The app's module '{module}' cannot be found: there is no '{missing}'. Check the name, "
        "and put the folder that it lies in on PYTHONPATH."
    ),
    Code.APP_NOT_FOUND: (
        "The module '{module}' has no App named '{attribute}'; it has: {known}. "
        "Name it as package.module:attribute."
    ),
    Code.APP_FAILED: "The app cannot be loaded. {where}: {cause}. Correct it.{hint}",
    Code.APP_NOT_ON_DEVICES: (
        "The app cannot be loaded on devices, which have fewer modules than this server. {where}: "
        "{cause}. Move what needs it into a module named 'server', or do without."
    ),
    Code.MODEL_MISFIT: "{words}",
    Code.NOT_INSTALLED: (
        "Fieldpost's tables are not in the database. Run 'fieldpost db install' first."
    ),
    Code.DATABASE_URL: (
        "FIELDPOST_DATABASE (or --database) is no address of a database that Fieldpost works with: "
        "{cause}. Write it as sqlite:///file or postgresql://user:password@host/name."
    ),
    Code.DATABASE_UNREACHABLE: (
        "The database cannot be reached: {cause}. Check that it runs, and FIELDPOST_DATABASE."
    ),
    Code.DATABASE_FAILED: (
        "The database refused: {cause}. Run 'fieldpost check' to see whether it fits the app."
    ),
    Code.FILES_FAILED: (
        "A file or folder cannot be used: {cause}. Check FIELDPOST_DATA, and what is installed."
    ),
}

_BACKUP: Mapping[Code, str] = {
    Code.BACKUP_FAILED: (
        "No backup was taken: {cause}. The backups that were there are as they were. "
        "Put that right and run it again."
    ),
    Code.BACKUP_BUSY: (
        "Another backup is being taken in '{place}'. Wait until it has ended, or name another "
        "place."
    ),
    Code.BACKUP_NO_ROOM: (
        "There is no room for a backup in '{place}': {needed} MB are needed, {free} MB are free. "
        "Make room, give --keep with a smaller number, or name another place."
    ),
    Code.BACKUP_DAMAGED: (
        "The backup '{backup}' is not what was taken: {cause}. Restore another one."
    ),
    Code.BACKUP_UNFIT: (
        "The backup '{backup}' does not belong here: {cause}. Check FIELDPOST_APP and "
        "FIELDPOST_DATABASE, or restore another one."
    ),
    Code.BACKUP_OTHER: (
        "The backup '{backup}' is another one than you want: its digest is {digest}. "
        "Find out who has changed it before you restore anything."
    ),
    Code.NO_BACKUP: (
        "'{place}' is no backup, and no folder with one that is whole. Check the name; what begins "
        "with '.unfinished-' is none."
    ),
    Code.NO_BACKUP_PLACE: (
        "No place for backups is named. Give a folder, or set FIELDPOST_BACKUP to one."
    ),
    Code.DATABASE_DAMAGED: (
        "No backup was taken, because the database is damaged: {cause}. Stop the server, keep the "
        "file, and restore the last backup."
    ),
    Code.FILES_MISSING: (
        "The backup was taken, and {count} attachments are not in it, because the office does not "
        "have them any more, or has other bytes in their place: {named}. Look what has become of "
        "the files in the data folder."
    ),
    Code.PROGRAM_MISSING: (
        "PostgreSQL's program '{program}' is needed and was not found{where}. Install "
        "postgresql-client, or name the folder that it lies in with FIELDPOST_POSTGRES_BIN."
    ),
    Code.RESTORE_TARGET: ("Nothing was restored, because {target} is there already. {advice}."),
    Code.RESTORE_FAILED: ("Nothing was restored: {cause}. What was there before is as it was."),
    Code.HALF_RESTORED: (
        "A restore into this database was cut off before its end. Drop the database, make an empty "
        "one, and run 'fieldpost restore' again."
    ),
}

SPEAKERS: Mapping[str, Mapping[Code, str]] = {
    "A value in a form or an envelope": _FORM,
    "An envelope": _ENVELOPE,
    "Signing in, seats, sync": _DOOR,
    "The device": _DEVICE,
    "An app's definition": _DEFINITION,
    "Backups": _BACKUP,
}
"""Internal: the catalogue by what the words are about, in the order of the codes."""

MESSAGES: Mapping[Code, str] = {
    code: words for spoken in SPEAKERS.values() for code, words in spoken.items()
}
"""The words of each code; what stands in braces is filled in."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        code: the catalogue's entry.
        path: where, as in a form: ``score``, ``findings[1].note``; empty for the whole.
        message: the words for a person.
        detail: plain JSON data for programs, such as the three values of a conflict.
    """

    code: Code
    path: str
    message: str
    detail: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the problem as plain data."""
        data: dict[str, Any] = {"code": str(self.code), "path": self.path, "message": self.message}
        if self.detail:
            data["detail"] = dict(self.detail)
        return data

    def under(self, place: str) -> "Problem":
        """Return the same problem with its path inside `place`."""
        return Problem(self.code, join_path(place, self.path), self.message, self.detail)


def problem_from_json(data: Mapping[str, Any]) -> Problem:
    """Internal: read back what `Problem.to_json` wrote; an unknown code becomes `UNEXPECTED`."""
    known = data.get("code") in set(Code)
    code = Code(data["code"]) if known else Code.UNEXPECTED
    detail = data.get("detail")
    told = detail if isinstance(detail, Mapping) else {}
    return Problem(code, data.get("path", ""), data.get("message", ""), told)


def join_path(*parts: str) -> str:
    """Internal: join parts of a path with dots, leaving out empty ones."""
    return ".".join(part for part in parts if part)


def problem(
    code: Code, path: str = "", *, detail: Mapping[str, Any] | None = None, **words: Any
) -> Problem:
    """Make a problem with the catalogue's words, filled in with `words`."""
    return Problem(code, path, MESSAGES[code].format(**words), detail or {})


class FieldpostError(Exception):
    """Something is wrong; `problems` says all of it."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(
            "; ".join(f"{p.path}: {p.message}" if p.path else p.message for p in self.problems)
        )


class DefinitionError(FieldpostError):
    """An app is described in a way that cannot work."""


class InputError(FieldpostError):
    """Something that came from outside cannot be accepted."""


class Forbidden(FieldpostError):
    """The user may not do that."""


class NotFound(FieldpostError):
    """There is no such thing, or this user may not know of it."""
