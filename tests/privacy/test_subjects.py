"""Subject files: every identifier is read, and none is ever shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mkt_assets.errors import InputError
from mkt_assets.privacy.pseudonyms import Key, KeyRing, canonical, pseudonym
from mkt_assets.privacy.subjects import Subjects, read_subjects

RING = KeyRing((Key("k2", bytes(range(32))), Key("k1", bytes(range(1, 33)))))
IDENTIFIERS = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=30)


def written(tmp_path: Path, content: str | bytes) -> Path:
    path = tmp_path / "subjects.txt"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@given(names=st.lists(IDENTIFIERS, min_size=1, max_size=8))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_identifier_is_read_once_in_one_spelling(tmp_path: Path, names: list[str]) -> None:
    path = written(tmp_path, "user_id\n\n" + "\n".join(f'  "{name}" ' for name in names) + "\n")
    assert read_subjects(path).identifiers == tuple(sorted({canonical(name) for name in names}))


def test_pseudonyms_are_those_of_the_guard_under_every_live_key() -> None:
    found = Subjects(("jane@example.com", "1.2")).pseudonyms(RING)
    assert found == {
        key.id: [pseudonym("Jane@Example.com ", key), pseudonym("1.2", key)] for key in RING.keys
    }


def test_a_request_has_the_same_id_whatever_the_order_and_another_under_another_key(
    tmp_path: Path,
) -> None:
    one = read_subjects(written(tmp_path, "b\na\n"))
    other = read_subjects(written(tmp_path, "a\r\nb\r\na"))
    assert one.request_id(RING.active) == other.request_id(RING.active)
    assert one.request_id(RING.active) != one.request_id(RING.keys[1])
    assert Subjects(("ab",)).request_id(RING.active) != Subjects(("a", "b")).request_id(RING.active)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "names nobody"),
        (b"user_id\n\n  \n", "names nobody"),
        (b"jane-secret\nx,jane-secret,y\n", "row 2"),
        (b"jane-secret\n" + b"jane-secret" * 40, "row 2"),
        (b"jane-secret\xff\xfe\x00", "no UTF-8"),
        (b"jane-secret\x00\n", "row 1"),
    ],
)
def test_what_is_no_subject_file_is_refused_without_a_value(
    tmp_path: Path, content: bytes, problem: str
) -> None:
    with pytest.raises(InputError, match=problem) as refused:
        read_subjects(written(tmp_path, content))
    chain = [refused.value, refused.value.__cause__, refused.value.__context__]
    assert "jane-secret" not in "".join(map(repr, chain))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.txt"):
        read_subjects(tmp_path / "none.txt")


def test_identifiers_are_not_shown() -> None:
    assert "jane" not in repr(Subjects(("jane",)))
