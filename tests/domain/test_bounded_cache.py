"""The cache that is bounded by the size of its values."""

from uplift.domain.bounded_cache import BoundedCache


def test_a_value_is_kept_under_its_key() -> None:
    cache = BoundedCache[str, bytes](10)
    cache.put("a", b"one", 3)
    assert (cache.get("a"), cache.get("b")) == (b"one", None)


def test_values_may_fill_the_cache_to_its_limit() -> None:
    cache = BoundedCache[str, int](10)
    cache.put("a", 1, 5)
    cache.put("b", 2, 5)
    assert [cache.get(key) for key in "ab"] == [1, 2]


def test_the_least_recently_used_values_are_dropped_first() -> None:
    cache = BoundedCache[str, int](10)
    for number, key in enumerate("abc", start=1):
        cache.put(key, number, 3)
    assert cache.get("a") == 1
    cache.put("d", 4, 4)
    assert [cache.get(key) for key in "abcd"] == [1, None, 3, 4]
    cache.put("e", 5, 10)
    assert [cache.get(key) for key in "abcde"] == [None, None, None, None, 5]


def test_a_value_that_is_larger_than_the_limit_is_not_kept() -> None:
    cache = BoundedCache[str, int](10)
    cache.put("a", 1, 10)
    cache.put("b", 2, 11)
    assert [cache.get(key) for key in "ab"] == [1, None]


def test_a_value_takes_the_place_of_the_one_before_it() -> None:
    cache = BoundedCache[str, int](10)
    cache.put("a", 1, 9)
    cache.put("a", 2, 4)
    cache.put("b", 3, 6)
    assert [cache.get(key) for key in "ab"] == [2, 3]
    cache.put("a", 4, 11)
    assert [cache.get(key) for key in "ab"] == [None, 3]
