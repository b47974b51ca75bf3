"""The tools of `session_file_system` by name."""

from collections.abc import Mapping
from typing import Final

from mainspring_worker.adapters.builtin_tools.files.reading import (
    read_file,
    read_many_files,
    stat_file,
)
from mainspring_worker.adapters.builtin_tools.files.searching import (
    glob,
    grep,
    grep_files,
    list_directory,
)
from mainspring_worker.adapters.builtin_tools.files.writing import (
    copy_file,
    delete_file,
    edit_file,
    move_file,
    write_file,
)
from mainspring_worker.adapters.builtin_tools.function import Function

FILE_TOOLS: Final[Mapping[str, Function]] = {
    "copy_file": copy_file,
    "delete_file": delete_file,
    "edit_file": edit_file,
    "glob": glob,
    "grep": grep,
    "grep_files": grep_files,
    "list_directory": list_directory,
    "move_file": move_file,
    "read_file": read_file,
    "read_many_files": read_many_files,
    "stat_file": stat_file,
    "write_file": write_file,
}
