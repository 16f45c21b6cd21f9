"""Runner: transcribes with onnxruntime on the CPU, without torch, as `earful transcribe` does if it can."""

import os
import platform
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, final

import numpy as np

from earful.config import from_mapping
from earful.ctc.greedy import Numbers
from earful.errors import CheckpointError, EarfulError
from earful.features.windows import CONTEXT_S, WINDOW_S
from earful.folders import CARD, LEXICON, WEIGHTS, language_in, locate, number_in, read_card
from earful.runtime.weights import read_weights
from earful.text.alphabet import Alphabet
from earful.text.lexicon import load_lexicon
from earful.text.normalize import TextRules
from earful.transcriber import Samples, Transcriber, Writing

NEEDS = ("onnx", "onnxruntime")
ARITHMETIC = "arithmetic"
"""The key of `model.json` for the best arithmetic of the matrices."""
Kind = Literal["float32", "int8"]
_SHORTEST = 80  # samples, half a frame: of less nothing is heard


@final
class Runner(Transcriber):
    """A recogniser that only transcribes: `Runner.load(model).transcribe(…)` gives the same as `Recognizer`.

    Its matrices are in float32, or in int8 if `model.json` says that the measured cost is small (`export.arithmetic`).
    """

    def __init__(
        self,
        writing: Writing,
        session: Any,
        *,
        greedy: bool = False,
        hot: Mapping[str, float] | None = None,
        guesses: int = 1,
    ) -> None:
        super().__init__(writing, greedy=greedy, hot=hot, guesses=guesses)
        self._session = session

    @classmethod
    def load(
        cls,
        model: str | Path,
        *,
        greedy: bool = False,
        hot: Mapping[str, float] | None = None,
        guesses: int = 1,
        kind: Kind | None = None,
        threads: int | None = None,
    ) -> "Runner":
        """Load a model folder, or a shipped base by its name. `kind` is float32 or int8; by default the folder decides.

        `threads` compute a window; the default is torch's number. A server, which hears many recordings at once, sets
        it.

        Raises CheckpointError: damaged, foreign, or a model that no graph can be made of; TextError as the class.
        """
        folder = locate(model)
        card = read_card(folder / CARD)
        writing = writing_in(folder, card, greedy=greedy)
        session = _session(folder, card, kind or arithmetic_of(card), _threads() if threads is None else threads)
        return cls(writing, session, greedy=greedy, hot=hot, guesses=guesses)

    def _logp_of(self, samples_T: Samples) -> Numbers:
        if len(samples_T) < _SHORTEST:
            return np.zeros((0, self.writing.alphabet.size), np.float32)
        (logp_BFV,) = self._session.run(None, {"samples": samples_T[None]})
        return np.asarray(logp_BFV[0])


def can_run(model: str | Path) -> bool:
    """Whether a Runner can run a model: its encoder is supported, and onnxruntime is installed.

    Raises CheckpointError: there is no such model, or its card is damaged.
    """
    from earful.runtime.kinds import check_buildable

    config = read_card(locate(model) / CARD)["config"]
    if not all(find_spec(name) for name in NEEDS):
        return False
    try:
        check_buildable(config, WINDOW_S + 2 * CONTEXT_S)
    except (CheckpointError, KeyError, TypeError):  # of a card that is damaged the recogniser says what is
        return False
    return True


def writing_in(folder: Path, card: Mapping[str, Any], *, greedy: bool = False) -> Writing:
    """How the model of a folder writes; if `greedy`, without its language model.

    Raises CheckpointError: damaged, or of another version.
    """
    from earful.runtime.kinds import output_hop_s

    where, config = str(folder / CARD), card["config"]
    try:
        alphabet = from_mapping(Alphabet, config["alphabet"], where)
        rules = from_mapping(TextRules, config.get("rules", {}), where)
        hop_s = output_hop_s(config)
    except EarfulError as error:
        raise CheckpointError(f"{error}: the model was made by another version of earful") from error
    except (KeyError, TypeError) as error:
        raise CheckpointError(f"{where}: damaged ({error!r}); copy the model again") from error
    lexicon = load_lexicon(folder / LEXICON) if "lexicon" in card else None
    shift, language = number_in(folder, card, "shift"), None if greedy else language_in(folder, card, alphabet)
    return Writing(alphabet, rules, hop_s, shift, lexicon, language)


def arithmetic_of(card: Mapping[str, Any]) -> Kind:
    """The arithmetic of the matrices: int8 if `model.json` says so and the processor has instructions for it."""
    return "int8" if card.get(ARITHMETIC) == "int8" and fast_in_int8() else "float32"


def fast_in_int8() -> bool:
    """Whether the processor has instructions for int8. Without them int8 is no faster, and on older x86 less exact."""
    if platform.machine().lower() in ("arm64", "aarch64"):
        return True
    flags = Path("/proc/cpuinfo")
    return flags.exists() and "vnni" in flags.read_text("utf-8", errors="replace")


def _session(folder: Path, card: Mapping[str, Any], kind: Kind, threads: int) -> Any:
    from earful.runtime.session import session_of

    return session_of(folder, card["config"], read_weights(folder / WEIGHTS), kind, threads=threads)


def _threads() -> int:
    """The number of threads that torch would use."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return int(asked) if asked.isdigit() and int(asked) else 0
