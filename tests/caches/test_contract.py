"""The contract of a Beaker cache, as one class of tests for every backend.

Beaker's own memory backend is among them: a test that fails there is wrong itself.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.caches.conftest import Backend
from tests.caches.tables import Maker, fail_if_called
from tests.instruments import Clock

#: Keys that Beaker lets through, no two of them equal.
KEYS: tuple[Any, ...] = (
    *("plain", b"bytes", "with space", b"", 5, 5.5, (1, "a"), ("1", "a"), frozenset({3})),
    *("x" * 5000, "x" * 5001, "x" * 512, "x" * 513, "größe", "grösse", "\U0001f36a", b"\xff\xfe"),
    *("\ud800", "\udfff", "#lock:plain", "#session", "session", "~abc", "a:b", "a:", "5", "NUL\0"),
    *("line\r\n", "../..", "(1, 'a')", " ", "é", "e\u0301", b"\x80"),
)


class TestContract:
    def test_a_value_is_made_once(self, backend: Backend) -> None:
        """A miss makes the value, a hit does not, and another cache of the namespace shares it."""
        make, cache = Maker(), backend.cache()

        assert [cache.get("k", createfunc=make) for _ in range(3)] == [1, 1, 1]
        assert backend.cache().get("k", createfunc=fail_if_called) == 1
        assert backend.cache("other").get("k", createfunc=Maker(7)) == 7

    def test_a_miss_without_a_maker_is_a_key_error(self, backend: Backend) -> None:
        """`get` and `[]` raise KeyError if there is neither a value nor a createfunc."""
        cache = backend.cache()

        for ask in (cache.get, cache.__getitem__):
            with pytest.raises(KeyError):
                ask("k")

    def test_a_value_that_was_put_is_returned(self, backend: Backend) -> None:
        """`put` and `[]=` store a value, also over another one."""
        cache = backend.cache()

        cache.put("k", [1, {"a": "ä"}])
        cache["other"] = "text"
        cache["k"] = {"b": [None, True, 1.5]}

        assert (cache["k"], cache.get("other")) == ({"b": [None, True, 1.5]}, "text")

    @pytest.mark.parametrize("value", [None, 0, False, "", [], "x" * 100_000])
    def test_none_and_empty_are_values(self, backend: Backend, value: Any) -> None:
        """None, 0, False and empty values are cached like any other."""
        cache, make = backend.cache(), Maker(value)

        assert [cache.get("k", createfunc=make) for _ in range(2)] == [value, value]
        assert (make.made, "k" in cache) == (1, True)

    def test_a_removed_value_is_created_again(self, backend: Backend) -> None:
        """`remove_value` and `del` remove one value, and accept a missing one."""
        cache = backend.cache()
        cache["k"] = cache["j"] = cache["other"] = "old"

        cache.remove_value("k")
        cache.remove_value("k")
        del cache["j"]

        assert [cache.get(key, createfunc=Maker("new")) for key in "kj"] == ["new", "new"]
        assert cache["other"] == "old"

    def test_in_and_has_key(self, backend: Backend, clock: Clock, wound: None) -> None:
        """`in` and `has_key` are true of a value that has not expired."""
        cache = backend.cache()
        cache.put("k", None, expiretime=10)

        before = "k" in cache, cache.has_key("k"), "other" in cache
        clock.advance(10)

        assert before == (True, True, False)
        assert ("k" in cache, cache.has_key("k")) == (False, False)

    def test_clear_empties_one_namespace(self, backend: Backend) -> None:
        """`clear` empties this namespace, and none whose name begins alike."""
        caches = [backend.cache(name) for name in ("a", "ab", "a.b")]
        for cache in caches:
            cache["k"] = cache["j"] = "v"

        caches[0].clear()
        caches[0].clear()

        assert ["k" in cache for cache in caches] == [False, True, True]
        assert ["j" in cache for cache in caches] == [False, True, True]

    @pytest.mark.parametrize(
        ("expiretime", "seconds", "made"),
        [(None, 9e6, 1), (0, 0, 2), (10, 9, 1), (10, 10, 2), (0.5, 0.25, 1), (0.5, 0.5, 2)],
    )
    def test_a_value_expires(
        self,
        backend: Backend,
        clock: Clock,
        wound: None,
        expiretime: float | None,
        seconds: float,
        made: int,
    ) -> None:
        """A value expires after `expiretime` seconds; None is long, 0 is at once."""
        cache, make = backend.cache(ttl=0) if backend.given else backend.cache(), Maker()

        cache.get("k", createfunc=make, expiretime=expiretime)
        clock.advance(seconds)
        got = cache.get("k", createfunc=make, expiretime=expiretime)

        assert (got, make.made) == (made, made)

    def test_an_expired_value_without_a_maker_is_a_key_error(
        self, backend: Backend, clock: Clock, wound: None
    ) -> None:
        """An expired value counts as missing, even if its row still exists."""
        cache = backend.cache(expire=5)
        cache["k"] = "v"

        clock.advance(5)

        with pytest.raises(KeyError):
            cache.get("k")

    def test_a_value_older_than_the_starttime_is_made_anew(
        self, backend: Backend, clock: Clock, wound: None
    ) -> None:
        """A template that was compiled after the value was stored gets a new one (Mako)."""
        cache, make = backend.cache(), Maker()
        cache.get("k", createfunc=make, starttime=clock() - 1)

        clock.advance(5)

        assert cache.get("k", createfunc=make, starttime=clock() - 6) == 1
        assert cache.get("k", createfunc=make, starttime=clock()) == 2

    def test_a_maker_that_fails_leaves_nothing(self, backend: Backend) -> None:
        """The maker's own error is raised, nothing is stored, and the next one makes the value."""
        cache = backend.cache()

        with pytest.raises(ZeroDivisionError):
            cache.get("k", createfunc=lambda: 1 // 0)

        assert cache.get("k", createfunc=Maker("v")) == "v"

    def test_a_value_made_of_itself_does_not_hang(self, backend: Backend) -> None:
        """A maker that asks for its own key in its own thread gets an answer."""
        cache = backend.cache()

        got = cache.get("k", createfunc=lambda: [cache.get("k", createfunc=Maker("inner"))])

        assert got == ["inner"]

    def test_keys_of_every_kind_are_told_apart(self, backend: Backend) -> None:
        """Whatever key Beaker lets through finds its own value, and no other's."""
        cache = backend.cache()
        for number, key in enumerate(KEYS):
            cache.put(key, number)

        assert [cache.get(key) for key in KEYS] == list(range(len(KEYS)))
        for key in KEYS[::3]:
            del cache[key]
        assert [key in cache for key in KEYS] == [n % 3 != 0 for n in range(len(KEYS))]

    def test_bytes_and_text_are_one_key(self, backend: Backend) -> None:
        """`b"k"` and `"k"` are one key."""
        cache = backend.cache()

        cache[b"k"] = "v"

        assert (cache["k"], cache.get("k", createfunc=fail_if_called)) == ("v", "v")
