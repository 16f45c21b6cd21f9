"""Hot words: names and terms that a user expects. The search gives each letter of them a bonus.

They form a tree of letters (Zhao et al. 2019, shallow-fusion contextual biasing). Each letter that continues a hot word
gets its bonus at once, so that the beam keeps it. If the word does not end as a hot word, the bonus is taken back.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from earful.ctc.known import DEAD, Hot
from earful.errors import TextError
from earful.text.alphabet import Alphabet

BOOST = 1.5
"""The default bonus of a letter of a hot word, in nats."""
SPACE = " "


def hot_tree(boosts: Mapping[str, float], alphabet: Alphabet) -> Hot:
    """The tree of words or phrases (as the model writes them), each with its bonus per letter.

    Raises TextError: one has letters that the model does not write.
    """
    if not boosts:
        return no_hot()
    size = alphabet.size
    next_HV, paths, granted, final = [np.zeros(size, np.int64)], [""], [0.0], [0.0]
    for phrase, boost in boosts.items():
        _check(phrase, alphabet)
        state = 0
        for length, symbol in enumerate(alphabet.encode(phrase), 1):
            if not next_HV[state][symbol]:
                next_HV[state][symbol] = len(next_HV)
                next_HV.append(np.zeros(size, np.int64))
                paths.append(phrase[:length])
                granted.append(0.0)
                final.append(0.0)
            state = int(next_HV[state][symbol])
            granted[state] = max(granted[state], boost * length, key=abs)
        final[state] = boost * len(phrase)
    states = {path: state for state, path in enumerate(paths)}
    kept = [_kept(path, states, final) for path in paths]
    again = [_again(path, states) for path in paths]
    space = alphabet.encode(SPACE)[0] if SPACE in alphabet.symbols else size
    return Hot(space, np.array(next_HV), *map(np.array, (granted, kept, again, final)))


def _check(phrase: str, alphabet: Alphabet) -> None:
    unknown = sorted(set(phrase) - set(alphabet.symbols))
    if unknown or not phrase.strip():
        missing = f"writes no {' '.join(unknown)}" if unknown else "has nothing to listen for in it"
        raise TextError(f"hot word {phrase!r}: the model {missing}; spell it with the letters of the model")


def _kept(path: str, states: Mapping[str, int], final: Sequence[float]) -> float:
    """The bonus that stays if a phrase breaks off: that of the longest hot word that had ended by a space before."""
    ends = (path[:place] for place in range(len(path) - 1, 0, -1) if path[place] == SPACE)
    return next((final[states[end]] for end in ends if final[states[end]]), 0.0)


def _again(path: str, states: Mapping[str, int]) -> int:
    """The node after giving up the phrase: the longest beginning of a hot word at a later word of it; or none."""
    starts = (path[place + 1 :] for place in range(len(path)) if path[place] == SPACE)
    return next((states[start] for start in starts if start in states), DEAD)


def no_hot() -> Hot:
    """The empty tree."""
    return Hot(0, np.zeros((0, 0), np.int64), np.zeros(0), np.zeros(0), np.zeros(0, np.int64), np.zeros(0))
