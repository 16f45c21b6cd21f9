"""What can be chosen of how transcripts are written. Apart from `normalize`: command lines need no more to say so."""

from typing import Literal

Case = Literal["lower", "upper", "keep"]
Punctuation = Literal["remove", "keep"]
Writing = Literal["given", "pinyin", "characters"]
