"""What a report says of the machine that it was measured on."""

from pathlib import Path

from tests.load.bench.machine import idling, large_pages


def system(root: Path, *, governor: str, looks_ns: int = 0, shrinks: str = "Y") -> Path:
    cores = root / "devices/system/cpu/cpuidle"
    asked = root / "module/haltpoll/parameters"
    cores.mkdir(parents=True)
    asked.mkdir(parents=True)
    (cores / "current_governor").write_text(f"{governor}\n")
    (asked / "guest_halt_poll_ns").write_text(f"{looks_ns}\n")
    (asked / "guest_halt_poll_allow_shrink").write_text(f"{shrinks}\n")
    return root


def test_a_report_says_whether_a_virtual_core_looks_for_work_before_it_halts(
    tmp_path: Path,
) -> None:
    halts = system(tmp_path / "halts", governor="haltpoll")
    looks = system(tmp_path / "looks", governor="haltpoll", looks_ns=200_000)
    never = system(tmp_path / "never", governor="haltpoll", looks_ns=1_000_000, shrinks="N")

    assert idling(halts) == "halts at once"
    assert idling(looks) == "looks for work for at most 200 us, then halts"
    assert idling(never) == "looks for work for 1000 us, then halts"


def test_where_the_system_says_nothing_of_it_neither_does_the_report(tmp_path: Path) -> None:
    assert idling(tmp_path) == "as the system has it"
    assert idling(system(tmp_path / "menu", governor="menu")) == "menu"


def test_a_core_that_is_not_virtual_is_told_by_its_governor_alone(tmp_path: Path) -> None:
    cores = tmp_path / "devices/system/cpu/cpuidle"
    cores.mkdir(parents=True)
    (cores / "current_governor").write_text("menu\n")

    assert idling(tmp_path) == "menu"


def test_a_report_says_who_gets_large_pages(tmp_path: Path) -> None:
    folder = tmp_path / "kernel/mm/transparent_hugepage"
    folder.mkdir(parents=True)
    (folder / "enabled").write_text("always [madvise] never\n")

    assert large_pages(tmp_path) == "madvise"
    assert large_pages(tmp_path / "elsewhere") == "as the system has it"
