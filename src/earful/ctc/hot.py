"""Hot words: names and terms that a user expects, made likelier in the search by so much a letter.

They stand in a tree of letters (Zhao et al. 2019, shallow-fusion contextual biasing): each letter that leads on from
the beginning of a word grants its share at once, so that the beam keeps it; what does not end as a hot word gives
back what it was granted.
"""

from collections.abc import Mapping

import numpy as np

from earful.ctc.search import Hot
from earful.errors import TextError
from earful.text.alphabet import Alphabet

BOOST = 1.5
"""What a letter of a hot word adds, in nats, where the user says nothing."""
SPACE = " "


def hot_tree(boosts: Mapping[str, float], alphabet: Alphabet) -> Hot:
    """The tree of words or phrases (as the model writes them), each with what every letter of it adds.

    Raises TextError: one has letters that the model does not write.
    """
    size = alphabet.size
    next_HV, granted, final = [np.zeros(size, np.int64)], [0.0], [0.0]
    parents = [0]
    for phrase, boost in boosts.items():
        unknown = sorted(set(phrase) - set(alphabet.symbols))
        if unknown or not phrase.strip():
            missing = f"writes no {' '.join(unknown)}" if unknown else "has nothing to listen for in it"
            raise TextError(f"hot word {phrase!r}: the model {missing}; spell it with the letters of the model")
        state = 0
        for length, symbol in enumerate(alphabet.encode(phrase), 1):
            if not next_HV[state][symbol]:
                next_HV[state][symbol] = len(next_HV)
                next_HV.append(np.zeros(size, np.int64))
                granted.append(0.0)
                final.append(0.0)
                parents.append(state)
            state = int(next_HV[state][symbol])
            granted[state] = max(granted[state], boost * length, key=abs)
        final[state] = boost * len(phrase)
    return Hot(np.array(next_HV), np.array(granted), _kept(parents, final, next_HV, alphabet), np.array(final))


def no_hot() -> Hot:
    """The tree of none."""
    return Hot(np.zeros((0, 0), np.int64), np.zeros(0), np.zeros(0), np.zeros(0))


def _kept(parents: list[int], final: list[float], next_HV: list[np.ndarray], alphabet: Alphabet) -> np.ndarray:
    """What stays where a phrase breaks off: that of the hot word which had ended, by a space, on the way to it."""
    space = alphabet.encode(SPACE)[0] if SPACE in alphabet.symbols else 0
    kept = np.zeros(len(parents))
    for state in range(1, len(parents)):
        parent = parents[state]
        ended = space and next_HV[parent][space] == state and final[parent]
        kept[state] = final[parent] if ended else kept[parent]
    return kept
