"""Foreign text in pictures: what a chart may show of a hashtag or a name.

A tweet may hold anything: marks that turn the direction of text, letters that no installed font has, `$` that matplotlib takes for
mathematics. Charts draw these labels with `parse_math=False`; the page beside shows the text itself, escaped, with the browser's fonts.
"""

import functools
import unicodedata
from collections.abc import Sequence

from matplotlib import font_manager
from matplotlib.ft2font import FT2Font

# The first one comes with matplotlib; the others are used where they are installed.
_FAMILIES = (
    "DejaVu Sans",
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "Noto Sans JP",
    "Noto Sans KR",
    "Noto Sans SC",
    "Droid Sans Fallback",
    "WenQuanYi Micro Hei",
    "Noto Sans Arabic",
    "Noto Sans Hebrew",
    "Noto Sans Devanagari",
    "Noto Sans Bengali",
    "Noto Sans Tamil",
    "Noto Sans Thai",
    "FreeSans",
    "Noto Emoji",
    "Symbola",
)
# Stands for a letter that no font has.
_UNKNOWN = "\N{WHITE SQUARE}"


@functools.cache
def families() -> tuple[str, ...]:
    """The font families that are here, in the order in which a letter is looked for."""
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return tuple(family for family in _FAMILIES if family in installed)


@functools.cache
def _letters() -> frozenset[int]:
    found: set[int] = set()
    for family in families():
        path = font_manager.findfont(font_manager.FontProperties(family=family), fallback_to_default=False)
        found.update(FT2Font(path).get_charmap())
    return frozenset(found)


def shown(text: str, columns: int = 24, letters: frozenset[int] | None = None) -> str:
    """The text as a chart can draw it: on one line, without marks that nobody sees, cut to so many columns."""
    known = _letters() if letters is None else letters
    kept: list[str] = []
    width = 0
    for letter in unicodedata.normalize("NFC", text):
        category = unicodedata.category(letter)
        if category[0] == "C" or category in ("Zl", "Zp"):
            continue
        width += 0 if category == "Mn" else 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        if width > columns:
            return "".join(kept).rstrip() + "…"
        kept.append(letter if ord(letter) in known else _UNKNOWN)
    return "".join(kept) or _UNKNOWN


def all_shown(texts: Sequence[str], columns: int = 24) -> list[str]:
    """Every text as a chart can draw it, numbered where two of them came to look alike."""
    drawn = [shown(text, columns) for text in texts]
    return [label if drawn.count(label) == 1 else f"{label} ({number})" for number, label in enumerate(drawn, 1)]
