"""New letters start from like letters."""

import torch

from earful.adapt.rows import BIAS, WEIGHT, carry_rows, sources
from earful.text.alphabet import Alphabet

OLD, NEW = Alphabet((" ", "a", "c", "s")), Alphabet((" ", "c", "č", "š", "ཀ"))


def carried() -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    generator = torch.Generator().manual_seed(0)
    old = {
        WEIGHT: torch.randn(OLD.size, 6, generator=generator),
        BIAS: torch.randn(OLD.size, generator=generator),
        "other": torch.ones(2),
    }
    return old, carry_rows(old, OLD, NEW, generator)


def test_sources() -> None:
    assert sources(OLD, NEW)["č"] == "c"
    assert sources(OLD, NEW)["š"] == "s"


def test_rows_are_carried() -> None:
    old, new = carried()
    assert new[WEIGHT].shape == (NEW.size, 6) and new[BIAS].shape == (NEW.size,)
    assert torch.equal(new[WEIGHT][0], old[WEIGHT][0])  # the blank
    assert torch.equal(new[WEIGHT][2], old[WEIGHT][3])  # c
    assert torch.equal(new[WEIGHT][4], old[WEIGHT][4])  # š starts from s
    assert new["other"] is old["other"]


def test_letters_that_share_a_source_can_part() -> None:
    old, new = carried()
    assert not torch.equal(new[WEIGHT][3], old[WEIGHT][3])
    assert torch.nn.functional.cosine_similarity(new[WEIGHT][3], old[WEIGHT][3], dim=0) > 0.9
