"""What optax says of small CTC problems, for tests/ctc/test_optax_cases.py: values, gradients, Hessians by a direction.

optax (DeepMind's, in JAX) differentiates its own recursion, so nothing here is shared with earful. Both packages are
no dependency of earful: run this in an environment that has them, `jax[cpu]` and `optax`. All in float64.

optax knows no infinity (its log 0 is -1e5), so every case is possible, if barely.

    python bench/optax_cases.py --out tests/ctc/optax_cases.json
"""

import argparse
import json
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpy.typing import NDArray

SEED = 0
DIGITS = 12  # of the answers; the test compares nine
Numbers = NDArray[np.float64]
Tilt = Callable[[Numbers], None]


def flat(_: Numbers) -> None:
    """Scores as they were drawn."""


def peaked(logits_FBV: Numbers) -> None:
    """Like a network that is sure of itself, of the wrong."""
    logits_FBV *= 12


def silent(logits_FBV: Numbers) -> None:
    """All but the blank (0) is e^400 times less likely in every frame; the last clip has hardly a frame to spare."""
    logits_FBV[:, :, 1:] -= 400


def dead_end(logits_FBV: Numbers) -> None:
    """Symbol 2 is next to impossible: nearly all that is likely before it can be said never arrives."""
    logits_FBV[:, :, 2] -= 700


# name, frames, symbols, blank, frame counts, labels, what becomes of the scores
CASES: Sequence[tuple[str, int, int, int, list[int], list[list[int]], Tilt]] = (
    ("one frame, one label", 1, 3, 0, [1], [[2]], flat),
    ("plain", 9, 6, 0, [9, 9], [[1, 3, 2, 5], [4, 2, 1, 3]], flat),
    ("ragged", 10, 6, 0, [10, 7, 4], [[2, 1, 4, 5, 3], [3, 1], [5]], flat),
    ("repeats", 9, 4, 0, [9, 8, 7], [[1, 1, 1], [2, 2, 3, 3], [1, 2, 1, 2]], flat),
    ("a single symbol", 12, 2, 0, [12, 11], [[1, 1, 1, 1], [1]], flat),
    ("an empty transcript among others", 6, 5, 0, [6, 5, 6], [[3, 4], [], [1, 1]], flat),
    ("nothing but an empty transcript", 5, 3, 0, [5], [[]], flat),
    ("the blank last", 8, 5, 4, [8, 6], [[0, 0, 3], [2, 1]], flat),
    ("the blank in the middle", 8, 5, 2, [8, 7], [[0, 1, 3, 3], [4]], flat),
    ("exactly enough frames", 7, 5, 0, [7, 5, 3], [[1, 1, 2, 2, 3], [4, 3, 3, 2], [1, 2, 3]], flat),
    ("peaked", 16, 7, 0, [16, 13], [[1, 2, 3, 3, 6], [6, 5, 4]], peaked),
    ("all labels nearly impossible", 9, 4, 0, [9, 5], [[1, 2, 2], [3, 3, 1]], silent),
    ("one label nearly impossible", 14, 5, 0, [14, 11], [[1, 2, 3], [4, 2, 2, 1]], dead_end),
    ("longer", 40, 9, 0, [40, 31], [[1, 2, 2, 3, 4, 5, 5, 5, 6, 7, 8, 1], [8, 7, 6, 5, 4, 3, 2, 1]], flat),
)


def answers(
    logits_FBV: Numbers, direction_FBV: Numbers, frame_counts: list[int], labels: list[list[int]], blank: int
) -> tuple[Numbers, Numbers, Numbers]:
    """optax's losses `[B]`, and by the logits: the gradient of their sum, and its change along the direction."""
    width = max(1, *map(len, labels))
    padded_BL = jnp.array([row + [0] * (width - len(row)) for row in labels])
    no_frame_BF = 1.0 * (jnp.arange(len(logits_FBV)) >= jnp.array(frame_counts)[:, None])
    no_label_BL = 1.0 * (jnp.arange(width) >= jnp.array([len(row) for row in labels])[:, None])

    def losses_B(x_FBV: Any) -> Any:
        return optax.ctc_loss(x_FBV.transpose(1, 0, 2), no_frame_BF, padded_BL, no_label_BL, blank_id=blank)

    x_FBV, v_FBV = jnp.array(logits_FBV), jnp.array(direction_FBV)
    gradient = jax.grad(lambda x_FBV: losses_B(x_FBV).sum())
    gradient_FBV, change_FBV = jax.jvp(gradient, (x_FBV,), (v_FBV,))
    return tuple(np.asarray(each) for each in (losses_B(x_FBV), gradient_FBV, change_FBV))  # type: ignore[return-value]


def rounded(x: Numbers) -> list[Any]:
    """Nested lists, each number to DIGITS significant digits."""
    return np.vectorize(lambda each: float(f"{each:.{DIGITS}g}"))(x).tolist()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out
    jax.config.update("jax_enable_x64", True)
    draw, cases = np.random.default_rng(SEED), []
    for name, frames, symbols, blank, frame_counts, labels, tilt in CASES:
        logits_FBV = draw.normal(size=(frames, len(labels), symbols)).round(2)
        tilt(logits_FBV)
        logits_FBV = logits_FBV.round(2)
        direction_FBV = draw.normal(size=logits_FBV.shape).round(2)
        losses_B, gradient_FBV, change_FBV = answers(logits_FBV, direction_FBV, frame_counts, labels, blank)
        assert (losses_B < 5e4).all() and np.isfinite(change_FBV).all(), f"{name}: too near to optax's log 0"
        given = {"name": name, "blank": blank, "frame_counts": frame_counts, "labels": labels}
        given |= {"logits": logits_FBV.tolist(), "direction": direction_FBV.tolist()}
        found = {"losses": losses_B, "gradient": gradient_FBV, "change": change_FBV}
        cases.append(given | {key: rounded(value) for key, value in found.items()})
    facts = {
        "what": "optax.ctc_loss a clip; its sum's gradient by the logits; that gradient's change along the direction",
        "shapes": "logits, direction, gradient, change [frames, clips, symbols]; beyond a clip's frames all count zero",
        "made_by": "bench/optax_cases.py",
        "seed": SEED,
        "optax": version("optax"),
        "jax": version("jax"),
        "numpy": np.__version__,
    }
    lines = ",\n".join(json.dumps(case) for case in cases)
    head = json.dumps(facts, indent=1).removesuffix("\n}")
    out.write_text(f'{head},\n "cases": [\n{lines}\n]\n}}\n', "utf-8")


if __name__ == "__main__":
    main()
