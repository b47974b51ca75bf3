"""Unpacks an archive that somebody sent, if it is what it should be."""

import io
import stat
import zipfile
from typing import Final

from mainspring_kernel.limits import MIB

FILES_MAX: Final = 200
"""Of one skill; more is no skill but a disk."""
UNPACKED_BYTES_MAX: Final = 2 * MIB
"""All files of an archive: they are written as one order."""
PATH_CHARS_MAX: Final = 300
"""Of a path inside an archive, so that it fits below the folder it comes to."""


class BadArchive(ValueError):
    """The text says what is wrong, for whoever sent it."""


def unpacked(data: bytes) -> dict[str, bytes]:
    """Files by path. A single folder around everything is taken off. Raises BadArchive."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [one for one in archive.infolist() if not one.is_dir()]
            _check(members)
            files = _read(archive, members)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        message = "this is no zip archive that can be read"
        raise BadArchive(message) from error
    return _without_wrapper(files)


def _check(members: list[zipfile.ZipInfo]) -> None:
    """Before anything is unpacked. The sizes are only what the archive says of itself."""
    if len(members) > FILES_MAX:
        message = f"the archive holds more than {FILES_MAX} files"
        raise BadArchive(message)
    if sum(one.file_size for one in members) > UNPACKED_BYTES_MAX:
        message = f"the archive holds more than {UNPACKED_BYTES_MAX} bytes"
        raise BadArchive(message)
    for one in members:
        kind = stat.S_IFMT(one.external_attr >> 16)
        if kind not in {0, stat.S_IFREG} or not _is_inside(one.filename):
            message = f"the archive holds something that leads outside: {one.filename[:80]!r}"
            raise BadArchive(message)
        if one.flag_bits & 1:
            message = "the archive is encrypted"
            raise BadArchive(message)
    if len({one.filename.casefold() for one in members}) != len(members):
        message = "the archive holds a path twice"
        raise BadArchive(message)


def _is_inside(path: str) -> bool:
    parts = path.split("/")
    return (
        len(path) <= PATH_CHARS_MAX
        and "\\" not in path
        and ":" not in path
        and path.isprintable()
        and not any(part in {"", ".", ".."} for part in parts)
    )


def _read(archive: zipfile.ZipFile, members: list[zipfile.ZipInfo]) -> dict[str, bytes]:
    room = UNPACKED_BYTES_MAX
    files: dict[str, bytes] = {}
    for one in members:
        with archive.open(one) as packed:
            content = packed.read(room + 1)
        room -= len(content)
        if room < 0:
            message = f"the archive holds more than {UNPACKED_BYTES_MAX} bytes"
            raise BadArchive(message)
        files[one.filename] = content
    return files


def _without_wrapper(files: dict[str, bytes]) -> dict[str, bytes]:
    folders = {path.partition("/")[0] for path in files}
    if len(folders) != 1 or any("/" not in path for path in files):
        return files
    return {path.partition("/")[2]: content for path, content in files.items()}
