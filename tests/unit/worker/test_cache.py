"""The cache forgets by entries, by bytes, oldest use first."""

from mainspring_workstream.cache import Cache


def cache(entries_max: int = 3, bytes_max: int = 100) -> Cache[str, int]:
    return Cache(entries_max=entries_max, bytes_max=bytes_max)


def test_oldest_use_is_forgotten_first() -> None:
    kept = cache()
    for number, key in enumerate("abc"):
        kept.put(key, number, size=1)
    kept.get("a")

    kept.put("d", 3, size=1)

    assert [kept.get(key) for key in "abcd"] == [0, None, 2, 3]


def test_bytes_are_bounded() -> None:
    kept = cache()
    kept.put("a", 1, size=60)

    kept.put("b", 2, size=60)

    assert kept.get("a") is None
    assert kept.bytes == 60


def test_value_over_the_bound_is_not_kept_and_replaces_nothing_else() -> None:
    kept = cache()
    kept.put("a", 1, size=10)

    kept.put("b", 2, size=101)

    assert kept.get("b") is None
    assert kept.get("a") == 1


def test_put_again_counts_the_new_size() -> None:
    kept = cache()
    kept.put("a", 1, size=60)

    kept.put("a", 2, size=10)

    assert (kept.get("a"), kept.bytes, len(kept)) == (2, 10, 1)
