"""Hot words: names and terms that a user expects, made likelier in the search by so much a letter.

They stand in a tree of letters (Zhao et al. 2019, shallow-fusion contextual biasing): each letter that leads on from
the beginning of a word grants its share at once, so that the beam keeps it; what does not end as a hot word gives
back what it was granted.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from earful.ctc.known import DEAD, Hot
from earful.errors import TextError
from earful.text.alphabet import Alphabet

BOOST = 1.5
"""What a letter of a hot word adds, in nats, where the user says nothing."""
SPACE = " "


def hot_tree(boosts: Mapping[str, float], alphabet: Alphabet) -> Hot:
    """The tree of words or phrases (as the model writes them), each with what every letter of it adds.

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
    """What stays where a phrase breaks off: that of the longest hot word which had ended, by a space, on the way."""
    ends = (path[:place] for place in range(len(path) - 1, 0, -1) if path[place] == SPACE)
    return next((final[states[end]] for end in ends if final[states[end]]), 0.0)


def _again(path: str, states: Mapping[str, int]) -> int:
    """Where one stands if the phrase is given up: at what begins with a later word of it, the longest; or nowhere."""
    starts = (path[place + 1 :] for place in range(len(path)) if path[place] == SPACE)
    return next((states[start] for start in starts if start in states), DEAD)


def no_hot() -> Hot:
    """The tree of none."""
    return Hot(0, np.zeros((0, 0), np.int64), np.zeros(0), np.zeros(0), np.zeros(0, np.int64), np.zeros(0))
