"""The choices of how transcripts are written. They are apart from `normalize` so that command lines load no more."""

from typing import Literal

Case = Literal["lower", "upper", "keep"]
Punctuation = Literal["remove", "keep"]
Writing = Literal["given", "pinyin", "characters"]
