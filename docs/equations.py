"""A hook of mkdocs: equations between dollars become MathML, which browsers show without a script."""

import re
from typing import Any

from latex2mathml.converter import convert

CODE_OR_EQUATION = re.compile(r"(```.*?```|`[^`\n]*`)|\$\$(.+?)\$\$|\$([^$\n]+?)\$", re.DOTALL)


def on_page_markdown(markdown: str, **_: Any) -> str:
    return CODE_OR_EQUATION.sub(_replaced, markdown)


def _replaced(match: re.Match[str]) -> str:
    code, block, inline = match.groups()
    if code:
        return code
    if block:
        return convert(block, display="block")
    return f"<span>{convert(inline)}</span>"  # a line that began with <math> would be taken for a block
