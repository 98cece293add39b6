"""Regular expressions (RE2's dialect) for single JSON tokens and CSV cells.

Each describes only texts of which it is sure that Pydantic accepts them and that DuckDB reads
the same value: what is rarer, such as a 19-digit integer or a year before 1000, is left to
Pydantic itself. Nothing here matches more than one token.
"""

import re
from collections.abc import Iterable
from re import _constants as parts  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

SPACE = r"[ \t\r]*"
# A brace by its number: two of them side by side would be a mark of the template's language.
LEFT, RIGHT = r"\x7b", r"\x7d"
# Any JSON string, but for half of a surrogate pair.
_ESCAPE = (
    r'\\["\\/bfnrt]|\\u(?:[0-9A-Ca-cE-Fe-f][0-9A-Fa-f]{3}|[Dd][0-7][0-9A-Fa-f]{2}'
    r"|[Dd][89ABab][0-9A-Fa-f]{2}\\u[Dd][C-Fc-f][0-9A-Fa-f]{2})"
)
CHARACTER = r'(?:[^"\\\x00-\x1f]|' + _ESCAPE + ")"
STRING = f'"{CHARACTER}*"'
# Printable ASCII that a JSON string holds as it is.
PLAIN = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) not in '"\\')
# 18 digits fit a BIGINT; JSON has no leading zero.
INTEGER = "-?(?:0|[1-9][0-9]{0,17})"
# Both parsers round to the nearest double; these cannot become infinite.
_WHOLE = "-?(?:0|[1-9][0-9]{0,17})"
_EXPONENT = "[eE][+-]?[0-9]{1,2}"
_FRACTION = r"\.[0-9]{1,30}"
FLOAT = f"{_WHOLE}(?:{_FRACTION})?(?:{_EXPONENT})?"
# A number that no parser takes for an integer.
FRACTION = f"{_WHOLE}(?:{_FRACTION}(?:{_EXPONENT})?|{_EXPONENT})"
BOOLEAN = "(?:true|false)"
SCALAR = f"(?:{STRING}|{FLOAT}|{INTEGER}|{BOOLEAN}|null)"
_YEAR = "[12][0-9]{3}"
_DAY = (
    f"{_YEAR}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    "|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    "|(?:[12][0-9](?:0[48]|[2468][048]|[13579][26])|(?:12|16|20|24|28)00)-02-29"
)
DATE = f"(?:{_DAY})"
_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?"
NAIVE = f"(?:(?:{_DAY})[T ]{_CLOCK})"
AWARE = f"(?:(?:{_DAY})[T ]{_CLOCK}(?:Z|[+-](?:0[0-9]|1[0-3]):[0-5][0-9]))"
UUID = "(?:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12})"


def _times(pattern: str, least: int, most: int | str | None = None) -> str:
    """A pattern so often; `most` may be empty, for any number more."""
    return pattern + "{" + (str(least) if most is None else f"{least},{most}") + "}"


def any_value(depth: int = 3) -> str:
    """Any JSON value up to `depth` levels; for fields that nobody reads."""
    if not depth:
        return SCALAR
    inner = any_value(depth - 1)
    pair = f"{STRING}{SPACE}:{SPACE}{inner}"
    return f"(?:{SCALAR}|{array(inner)}|{mapping(pair)})"


def mapping(pair: str) -> str:
    """An object of any number of `pair`."""
    return f"{LEFT}{SPACE}(?:{pair}(?:{SPACE},{SPACE}{pair})*{SPACE})?{RIGHT}"


def array(item: str, *, filled: bool = False) -> str:
    """An array of `item`; `filled` asks for one at least."""
    items = f"{item}(?:{SPACE},{SPACE}{item})*{SPACE}"
    return rf"\[{SPACE}{items}\]" if filled else rf"\[{SPACE}(?:{items})?\]"


def integer(low: int | None, high: int | None) -> str:
    """Integers from `low` to `high`, both included; None is no bound."""
    if low is None and high is None:
        return INTEGER
    most = 10**18 - 1
    low, high = max(-most if low is None else low, -most), min(most if high is None else high, most)
    if low > high:
        return "(?:$^)"  # nothing fits
    choices = []
    if low < 0:
        choices += ["-" + text for text in _ranges(max(1, -high), -low)]
    if high >= 0:
        choices += _ranges(max(low, 0), high)
    return f"(?:{'|'.join(choices)})"


def _ranges(low: int, high: int) -> list[str]:
    """Patterns that together are the numbers low … high, both not negative."""
    found = []
    while low <= high:
        length, whole = len(str(low)), len(str(high + 1)) - 1
        if low == 10 ** (length - 1) and length < whole:  # all numbers of these lengths
            found.append("[1-9]" + _times("[0-9]", length - 1, whole - 1))
            low = 10**whole
        else:
            end = min(high, 10**length - 1)
            found += _same_length(str(low), str(end))
            low = end + 1
    return found


def _same_length(low: str, high: str) -> list[str]:
    if not low or low == high:
        return [low]
    rest = len(low) - 1
    if low[0] == high[0]:
        return [low[0] + text for text in _same_length(low[1:], high[1:])]
    first, last, found = int(low[0]), int(high[0]), []
    if low[1:].strip("0"):
        found += [low[0] + text for text in _same_length(low[1:], "9" * rest)]
        first += 1
    tail = []
    if high[1:].strip("9"):
        tail = [high[0] + text for text in _same_length("0" * rest, high[1:])]
        last -= 1
    if first <= last:
        found.append(f"[{first}-{last}]" + (_times("[0-9]", rest) if rest else ""))
    return found + tail


def decimal(whole: int, places: int, *, signed: bool) -> str:
    """A number with at most that many digits before and behind its point."""
    head = "0" if whole < 1 else f"(?:0|[1-9]{_times('[0-9]', 0, whole - 1)})"
    tail = rf"(?:\.{_times('[0-9]', 1, places)})?" if places else ""
    return ("-?" if signed else "") + head + tail


def one_of(texts: Iterable[str]) -> str:
    """One of these texts, whatever characters they hold."""
    return f"(?:{'|'.join(escape(text) for text in texts)})"


def escape(text: str) -> str:
    """A pattern that means exactly `text`, in RE2 as in Python."""
    return "".join(
        char if char.isalnum() and char.isascii() else r"\x{" + f"{ord(char):x}" + "}"
        for char in text
    )


def searched(pattern: str) -> str | None:
    """What a string of plain characters in which `pattern` is found looks like as a whole.

    `pattern` is of Pydantic's (the Rust crate regex). Each of its classes becomes the plain
    characters that it means, so that no dialect is left. None where it has more than
    literals, classes, groups, alternatives, repeats and a `^` or `$` at its ends.
    """
    # Class arithmetic, classes in classes, flags and named things differ between dialects.
    # A bracket may stand escaped or first in its class, and does not end it then.
    if re.search(
        r"&&|--|~~|\[\^?\]?(?:\\.|[^\]\\])*\[|\(\?[^:]"
        r"|\\[^dDsSwWntr.\-+*?()\[\]{}|^$/\\@]",
        pattern,
    ):
        return None
    try:
        tree = list(_parser.parse(pattern))
    except (re.error, OverflowError, RecursionError):
        return None
    any_plain = _class(PLAIN)
    head = tail = f"{any_plain}*"
    if tree and tree[0] == (parts.AT, parts.AT_BEGINNING):
        tree, head = tree[1:], ""
    if tree and tree[-1] == (parts.AT, parts.AT_END):
        tree, tail = tree[:-1], ""
    body = _translated(tree)
    return None if body is None else f"{head}{body}{tail}"


def _translated(tree: Iterable[tuple[Any, Any]]) -> str | None:
    found = [_node(kind, value) for kind, value in tree]
    return None if None in found else "".join(text or "" for text in found)


def _node(kind: Any, value: Any) -> str | None:
    if kind in (parts.LITERAL, parts.NOT_LITERAL, parts.ANY, parts.IN):
        return _class("".join(char for char in PLAIN if _means(kind, value, char)))
    if kind in (parts.MAX_REPEAT, parts.MIN_REPEAT):
        least, most, inner = value
        body = _translated(inner)
        if body is None or least > 100 or (most is not parts.MAXREPEAT and most > 100):
            return None
        end = "" if most is parts.MAXREPEAT else str(most)
        return _times(f"(?:{body})", least, end)
    if kind is parts.SUBPATTERN:
        body = _translated(value[-1])
        return None if body is None else f"(?:{body})"
    if kind is parts.BRANCH:
        choices = [_translated(choice) for choice in value[1]]
        return None if None in choices else f"(?:{'|'.join(text or '' for text in choices)})"
    return None


def _means(kind: Any, value: Any, char: str) -> bool:
    code = ord(char)
    if kind is parts.ANY:
        return True
    if kind is parts.LITERAL:
        return value == code
    if kind is parts.NOT_LITERAL:
        return value != code
    found, negated = False, False
    for item, what in value:
        if item is parts.NEGATE:
            negated = True
        elif item is parts.LITERAL:
            found |= what == code
        elif item is parts.RANGE:
            found |= what[0] <= code <= what[1]
        else:
            found |= bool(re.match(_CATEGORIES[what], char))
    return found != negated


_CATEGORIES = {
    parts.CATEGORY_DIGIT: "[0-9]",
    parts.CATEGORY_NOT_DIGIT: "[^0-9]",
    parts.CATEGORY_SPACE: "[ ]",
    parts.CATEGORY_NOT_SPACE: "[^ ]",
    parts.CATEGORY_WORD: "[0-9A-Za-z_]",
    parts.CATEGORY_NOT_WORD: "[^0-9A-Za-z_]",
}


def _class(characters: str) -> str:
    """A class of just these characters; of none, what matches nothing."""
    if not characters:
        return r"[^\x00-\x{10FFFF}]"
    return "[" + "".join(rf"\x{ord(char):02x}" for char in characters) + "]"
