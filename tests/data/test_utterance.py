import copy
import dataclasses
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earful.data.utterance import Utterance, unique_ids
from earful.errors import ManifestError


def test_extra_is_a_read_only_copy() -> None:
    given = {"ipa": ["a"]}
    utterance = Utterance("a", Path("a.wav"), extra=given)
    given["more"] = []
    assert dict(utterance.extra) == {"ipa": ["a"]}
    with pytest.raises(TypeError):
        utterance.extra["more"] = 1  # type: ignore[index]


def test_it_can_be_copied_hashed_replaced_and_sent_to_another_process() -> None:
    utterance = Utterance("a", Path("a.wav"), 1.0, 2.0, "hello", "en", "eva", {"take": 2})
    assert pickle.loads(pickle.dumps(utterance)) == copy.deepcopy(utterance) == utterance
    assert len({utterance, copy.copy(utterance)}) == 1
    assert dataclasses.replace(utterance, text="bye").extra == {"take": 2}
    assert dataclasses.replace(utterance, extra={}) != utterance


@pytest.mark.parametrize("field", ["start_s", "duration_s"])
@pytest.mark.parametrize("value", [-0.2, float("nan"), float("inf")])
def test_times_must_be_times(field: str, value: float) -> None:
    with pytest.raises(ManifestError, match=r"must be (0 or more|> 0)"):
        Utterance("a", Path("a.wav"), **{field: value})  # type: ignore[arg-type]


def test_a_duration_of_zero_and_an_empty_id_are_refused() -> None:
    with pytest.raises(ManifestError, match=r"duration is 0.0 s, must be > 0"):
        Utterance("a", Path("a.wav"), duration_s=0.0)
    with pytest.raises(ManifestError, match="id is empty"):
        Utterance("", Path("a.wav"))


@given(st.lists(st.sampled_from(["a", "b", "a#2", "a#3", ""])), st.sets(st.sampled_from(["a", "a#2", "b"])))
def test_unique_ids_are_unique_and_keep_the_first(wanted: list[str], taken: set[str]) -> None:
    ids = unique_ids(wanted, taken)
    assert len(ids) == len(wanted) == len(set(ids) - taken)
    assert all(id.startswith(name) for id, name in zip(ids, wanted, strict=True))
    if wanted and wanted[0] and wanted[0] not in taken:
        assert ids[0] == wanted[0]
