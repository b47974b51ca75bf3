"""What a tool asks of the resources of its session while its task is held, and what it changes.

Carried as MessagePack inside the resource proto. Paths come back in the one spelling that files
have (`/a/b`). A content hash is the SHA-256 of a file's bytes in hex.
"""

from typing import Final

import msgspec
from msgspec import Struct

from mainspring_schema.asking import Order, Question
from mainspring_schema.budgets import OwnBudgets
from mainspring_schema.mcp import ListPins, OpenServer, PinTools
from mainspring_schema.session_schedules import (
    CancelSchedule,
    ListSessionSchedules,
    MakeSchedule,
)
from mainspring_schema.session_tasks import (
    CancelTask,
    GetSessionTask,
    ListSessionTasks,
    MessageTask,
    SpawnAgent,
    StartCall,
)

# ── files ───────────────────────────────────────────────────────────────────────────────────────


class FileEntry(Struct, frozen=True, kw_only=True):
    """What is at a path, without its content."""

    path: str
    is_directory: bool
    is_readonly: bool
    size_bytes: int
    created_ms: int
    updated_ms: int


class FileListing(Struct, frozen=True, kw_only=True):
    """`next` goes into `after` of the question for what is behind."""

    entries: tuple[FileEntry, ...]
    next: str | None = None


class FilePart(Struct, frozen=True, kw_only=True):
    """Bytes of a file from `offset` on. The hash is that of all of it; a directory has none."""

    entry: FileEntry
    content_hash: str
    offset: int
    content: bytes


class FileContents(Struct, frozen=True, kw_only=True):
    """Whole files by path; those that are not there, or did not fit any more, are left out."""

    files: tuple[FilePart, ...]


class ListFiles(Question[FileListing], frozen=True, kw_only=True, tag="list_files"):
    """A directory, or all below it, by path. Raises NotFound."""

    path: str = "/"
    recursive: bool = False
    after: str | None = None
    limit: int


class ReadFile(Question[FilePart], frozen=True, kw_only=True, tag="read_file"):
    """Raises NotFound."""

    path: str
    offset: int = 0
    bytes_max: int


class ReadFiles(Question[FileContents], frozen=True, kw_only=True, tag="read_files"):
    """Several files, as many whole ones as fit in order."""

    paths: tuple[str, ...]
    bytes_max: int


class PutFile(Struct, frozen=True, kw_only=True, tag="put"):
    """Makes or replaces a file.

    `expected` is the hash it must have; empty: it must not be there; None: whatever is there.
    """

    path: str
    content: bytes
    expected: str | None = None


class RemoveFile(Struct, frozen=True, kw_only=True, tag="remove"):
    """A directory that holds something only where `recursive`."""

    path: str
    recursive: bool = False
    expected: str | None = None


class MoveFile(Struct, frozen=True, kw_only=True, tag="move"):
    """A file, or a directory with all below it. Only a file is replaced, where `overwrite`."""

    source: str
    target: str
    overwrite: bool = False


class CopyFile(Struct, frozen=True, kw_only=True, tag="copy"):
    """As a move, and the source stays."""

    source: str
    target: str
    overwrite: bool = False


class MakeDirectory(Struct, frozen=True, kw_only=True, tag="mkdir"):
    """With all above it. One that is there stays."""

    path: str


FileChange = PutFile | RemoveFile | MoveFile | CopyFile | MakeDirectory


class FilesChanged(Struct, frozen=True, kw_only=True):
    """What is at each change's path afterwards, None where nothing is; `note` as it was given."""

    entries: tuple[FileEntry | None, ...]
    created: int = 0
    """How many paths were not there before."""
    note: bytes = b""


class ChangeFiles(Order[FilesChanged], frozen=True, kw_only=True, tag="change_files"):
    """All changes one after the other, or none. `note` is kept with the answer.

    Raises NotFound, Conflict (read-only, taken, or another content than expected),
    ValidationFailed, PayloadTooLarge.
    """

    changes: tuple[FileChange, ...]
    note: bytes = b""


class Edit(Struct, frozen=True, kw_only=True):
    """Puts `new` in place of `old`, which must occur once, or of each occurrence where `every`."""

    old: str
    new: str
    every: bool = False


class FileEdited(Struct, frozen=True, kw_only=True):
    """`rebased`: the file had changed since it was read, and the edits fitted all the same."""

    entry: FileEntry
    content_hash: str
    replacements: int
    rebased: bool = False


class EditFile(Order[FileEdited], frozen=True, kw_only=True, tag="edit_file"):
    """Edits a text whose content had the hash `expected` when it was read.

    Raises NotFound; Conflict where the file changed and an edit does not fit any more, or is
    read-only; ValidationFailed where an edit never fitted.
    """

    path: str
    expected: str
    edits: tuple[Edit, ...]


# ── what a call did ─────────────────────────────────────────────────────────────────────────────


class Recalled(Struct, frozen=True, kw_only=True):
    """The note of an order, None where none was carried out."""

    note: bytes | None = None


class Recall(Question[Recalled], frozen=True, kw_only=True, tag="recall"):
    """Whether an earlier attempt already made the change with this key."""

    key: str


# ── the session itself ──────────────────────────────────────────────────────────────────────────


class SessionInfo(Struct, frozen=True, kw_only=True):
    """What people see of a session. Ids as on the wire."""

    session_id: str
    title: str | None
    agent_id: str | None
    harness_id: str
    created_ms: int


class GetSession(Question[SessionInfo], frozen=True, kw_only=True, tag="get_session"):
    """The session whose task is held."""


class NameSession(Order[SessionInfo], frozen=True, kw_only=True, tag="name_session"):
    """Gives it a title. Raises ValidationFailed for one that is empty or too long."""

    title: str


# ── what a session keeps beside its files ───────────────────────────────────────────────────────


class StoredValue(Struct, frozen=True, kw_only=True):
    """A value under its key; `value` None where there is none."""

    key: str
    value: str | None = None
    updated_ms: int | None = None


class StoredKeys(Struct, frozen=True, kw_only=True):
    """Keys of values, or names of secrets, in order."""

    keys: tuple[str, ...]


class Dropped(Struct, frozen=True, kw_only=True):
    """Whether there was anything to drop."""

    dropped: bool


class OpenedSecret(Struct, frozen=True, kw_only=True):
    """A secret's value; None where there is none."""

    value: str | None = None

    def __repr__(self) -> str:
        """Without the value, which must not end in a log."""
        return f"OpenedSecret({'...' if self.value is not None else None})"


class GetValue(Question[StoredValue], frozen=True, kw_only=True, tag="get_value"):
    """What was stored under a key."""

    key: str


class ListKeys(Question[StoredKeys], frozen=True, kw_only=True, tag="list_keys"):
    """Keys that begin with `prefix`."""

    prefix: str = ""


class PutValue(Order[StoredValue], frozen=True, kw_only=True, tag="put_value"):
    """Stores a value in place of what was there. Raises ValidationFailed, PayloadTooLarge."""

    key: str
    value: str


class DropValue(Order[Dropped], frozen=True, kw_only=True, tag="drop_value"):
    """Takes a key away."""

    key: str


class ListSecrets(Question[StoredKeys], frozen=True, kw_only=True, tag="list_secrets"):
    """Names only."""


class OpenSecret(Question[OpenedSecret], frozen=True, kw_only=True, tag="open_secret"):
    """The value itself, for who needs it to act. Raises SecretUnreadable."""

    name: str


class MakeSecret(Order[StoredKeys], frozen=True, kw_only=True, tag="make_secret"):
    """Makes a secret by chance, which nobody has seen, and seals it under a name.

    The answer has all names. Raises Conflict where the name is taken, ValidationFailed,
    EncryptionUnconfigured.
    """

    name: str


class DropSecret(Order[Dropped], frozen=True, kw_only=True, tag="drop_secret"):
    """Takes a secret away."""

    name: str


RowQuestion = (
    ListFiles
    | ReadFile
    | ReadFiles
    | Recall
    | GetSession
    | GetValue
    | ListKeys
    | ListSecrets
    | OpenSecret
    | ListPins
    | OpenServer
)
RowOrder = (
    ChangeFiles | EditFile | NameSession | PutValue | DropValue | MakeSecret | DropSecret | PinTools
)

TaskQuestion = ListSessionTasks | GetSessionTask
TaskOrder = SpawnAgent | StartCall | MessageTask | CancelTask
AnyQuestion = RowQuestion | ListSessionSchedules | TaskQuestion | OwnBudgets
AnyOrder = RowOrder | MakeSchedule | CancelSchedule | TaskOrder
"""What is asked of rows alone is answered in one transaction; scheduler and engine are others."""

_QUESTION: Final[msgspec.msgpack.Decoder[AnyQuestion]] = msgspec.msgpack.Decoder(AnyQuestion)
_ORDER: Final[msgspec.msgpack.Decoder[AnyOrder]] = msgspec.msgpack.Decoder(AnyOrder)


def read_question(data: bytes) -> AnyQuestion:
    """Raises msgspec.DecodeError, also for one that a later version asks."""
    return _QUESTION.decode(data)


def read_order(data: bytes) -> AnyOrder:
    """Raises msgspec.DecodeError, also for one that a later version gives."""
    return _ORDER.decode(data)
