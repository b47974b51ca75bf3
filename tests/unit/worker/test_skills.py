"""Skills as they are written, and archives as they may come."""

import io
import stat
import zipfile

import pytest

from mainspring_worker.domain import archives
from mainspring_worker.domain.archives import BadArchive, unpacked
from mainspring_worker.domain.skill import BadSkill, filled, parsed

TEXT = "---\nname: pdf-forms\ndescription: Fills forms.\nlicense: MIT\n---\n\nDo it.\n"


def zipped(files: dict[str, bytes], *, mode: int = stat.S_IFREG | 0o644) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            info = zipfile.ZipInfo(path)
            info.external_attr = mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return packed.getvalue()


def test_a_skill_is_its_front_matter_and_its_instructions() -> None:
    skill = parsed(TEXT, folder="pdf-forms")

    assert (skill.about.name, skill.about.description) == ("pdf-forms", "Fills forms.")
    assert skill.instructions == "Do it."


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Do it.",
        "---\nname: pdf-forms\n---\n",
        "---\nname: PDF\ndescription: x\n---\n",
        "---\nname: other\ndescription: x\n---\n",
        "---\n- a\n---\n",
        "---\nname: [\n---\n",
        "---\nname: !!python/object/apply:os.system ['true']\ndescription: x\n---\n",
        "---\nname: pdf-forms\ndescription: x",
        "---\nname: pdf-forms\ndescription: " + "x" * 2000 + "\n---\n",
        "---\n" + "a: " + "[" * 5000 + "\n---\n",
    ],
)
def test_what_is_no_skill_says_why(text: str) -> None:
    with pytest.raises(BadSkill, match=r"."):
        parsed(text, folder="pdf-forms")


def test_places_are_filled_once_and_what_fills_them_stays_text() -> None:
    text = filled(
        "$ARGUMENTS in ${SKILL_DIR} of ${SESSION_ID}; $HOME `date`",
        arguments="${SESSION_ID}",
        session_id="session_1",
        folder="/d",
    )

    assert text == "${SESSION_ID} in /d of session_1; $HOME `date`"


@pytest.mark.parametrize("wrapper", ["", "pdf-forms/"])
def test_an_archive_is_unpacked_without_the_folder_around_it(wrapper: str) -> None:
    packed = zipped({f"{wrapper}SKILL.md": b"1", f"{wrapper}scripts/a.py": b"2"})

    assert unpacked(packed) == {"SKILL.md": b"1", "scripts/a.py": b"2"}


@pytest.mark.parametrize(
    "path",
    ["../a", "a/../../b", "/etc/passwd", "a//b", "./a", "C:/a", "a\\..\\b", "a\nb", "x" * 301],
)
def test_an_archive_with_a_way_out_is_refused(path: str) -> None:
    with pytest.raises(BadArchive, match="outside"):
        unpacked(zipped({"SKILL.md": b"", path: b""}))


@pytest.mark.parametrize("mode", [stat.S_IFLNK | 0o777, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
def test_an_archive_holds_nothing_but_files(mode: int) -> None:
    with pytest.raises(BadArchive, match="outside"):
        unpacked(zipped({"link": b"/etc/passwd"}, mode=mode))


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    with pytest.raises(BadArchive, match="bytes"):
        unpacked(zipped({"SKILL.md": bytes(archives.UNPACKED_BYTES_MAX + 1)}))
    with pytest.raises(BadArchive, match="files"):
        unpacked(zipped({f"f{n}": b"" for n in range(archives.FILES_MAX + 1)}))


def test_an_archive_that_lies_about_its_sizes_is_refused() -> None:
    packed = bytearray(zipped({"SKILL.md": bytes(5000)}))
    for name in (b"PK\x03\x04", b"PK\x01\x02"):
        at = packed.index(name) + (22 if name.endswith(b"\x04") else 24)
        packed[at : at + 4] = (10).to_bytes(4, "little")

    with pytest.raises(BadArchive):
        unpacked(bytes(packed))


@pytest.mark.parametrize("data", [b"", b"no zip", zipped({"a": b"x" * 100})[:-30]])
def test_what_is_no_archive_is_refused(data: bytes) -> None:
    with pytest.raises(BadArchive, match="no zip"):
        unpacked(data)


def test_a_path_that_comes_twice_is_refused() -> None:
    with pytest.raises(BadArchive, match="twice"):
        unpacked(zipped({"SKILL.md": b"1", "skill.md": b"2"}))
