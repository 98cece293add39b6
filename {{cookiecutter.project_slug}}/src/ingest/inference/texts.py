"""What the strings at one place of a source could be: numbers, dates, a choice, or text.

A type is taken only where it changes no value: `007`, `+1`, `-0`, `1_000`, ` 1` and digits of other
scripts stay text, and so does a column in which one date is the 30th of February.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal

# Digits that a BIGINT, a DECIMAL and (without loss) a double hold.
MOST_BIGINT = 2**63 - 1
MOST_DIGITS = 38
_DOUBLE_DIGITS = 15
_MONEY_PLACES = 6
_MOST_PLACES = 18
# A choice has few values, and each of them comes again and again.
_MOST_CHOICES = 8
_LEAST_SEEN = 100
_ON_AVERAGE = 20
_EACH_SEEN = 5

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)?(?:\.([0-9]+))?(?:[eE]([+-]?)[0-9]{1,4})?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?"
    r"(Z|[+-][0-9]{2}:[0-9]{2})?"
)
_TIME = re.compile(r"[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?")
_UUID = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_WORD = re.compile(r"[^\W_][\w.&/+-]*(?: [\w.&/+-]+){0,3}")
_CODE = re.compile("[A-Z]{2}|[A-Z]{3}")


class Numbers:
    """The numbers among cells, and the smallest type that holds all of them."""

    def __init__(self) -> None:
        self.whole = self.places = 0  # digits before and behind the point
        self.big = self.pointed = self.powered = self.scientific = self.inexact = False

    def add(self, text: str) -> bool:
        """Whether it is a number in its plainest form."""
        found = _NUMBER.fullmatch(text)
        # As an integer -0 would be 0, and two keys the same one.
        if not found or (found[1] is None and found[2] is None) or text == "-0":
            return False
        whole, places = len(found[1] or ""), len(found[2] or "")
        if found[3] is not None:
            if math.isinf(float(text)):
                return False
            self.powered = True
            self.scientific |= found[3] == "-"
            self.inexact |= not _is_exact(text, whole + places)
        elif whole + places > _DOUBLE_DIGITS:
            self.inexact |= Decimal(repr(float(text))) != Decimal(text) if whole < 309 else True
            self.big |= not -MOST_BIGINT - 1 <= Decimal(text) <= MOST_BIGINT
        self.pointed |= places > 0
        self.whole, self.places = max(self.whole, whole), max(self.places, places)
        return True

    def merge(self, other: Numbers) -> None:
        """Add what another one has seen."""
        for name in ("big", "pointed", "powered", "scientific", "inexact"):
            setattr(self, name, getattr(self, name) or getattr(other, name))
        self.whole = max(self.whole, other.whole)
        self.places = max(self.places, other.places)

    def hint(self) -> str | None:
        """The type in which no value is lost; None where only text keeps them all."""
        if self.powered:
            # Integers with an E alone, such as 12E03, are codes rather than numbers.
            plain = (self.pointed or self.scientific) and not self.inexact
            return "float" if plain else None
        if not self.pointed and not self.big:
            return "int"
        fits = self.whole + self.places <= MOST_DIGITS
        if fits and self.places <= _MONEY_PLACES:
            return f"Decimal{self.places}"
        if not self.inexact:
            return "float"
        return f"Decimal{self.places}" if fits and self.places <= _MOST_PLACES else None


def _is_exact(text: str, digits: int) -> bool:
    """Whether a double keeps a number: it gives the same one again, with as many digits."""
    found, number = float(text), Decimal(text)
    # What numpy writes has more digits than are needed to tell doubles apart.
    return number == Decimal(repr(found)) or number == Decimal(f"{found:.{digits - 1}e}")


def _is_bool(text: str) -> bool:
    return text in ("true", "false", "True", "False", "TRUE", "FALSE")


def _is_date(text: str) -> bool:
    return bool(_DATE.fullmatch(text)) and _parses(date.fromisoformat, text)


def _is_time(text: str) -> bool:
    return bool(_TIME.fullmatch(text)) and _parses(time.fromisoformat, text)


def _is_uuid(text: str) -> bool:
    # In capitals it would come back in small letters.
    return bool(_UUID.fullmatch(text))


def _is_naive(text: str) -> bool:
    found = _MOMENT.fullmatch(text)
    return bool(found) and not found[1] and _parses(datetime.fromisoformat, text)


def _is_aware(text: str) -> bool:
    found = _MOMENT.fullmatch(text)
    return bool(found) and bool(found[1]) and _parses(_in_utc, text)


def _in_utc(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _parses(parse: Callable[[str], object], text: str) -> bool:
    try:
        parse(text)
    except (ValueError, OverflowError):  # no such day, or a year that no column holds
        return False
    return True


_IN_JSON: dict[str, Callable[[str], bool]] = {
    "date": _is_date,
    "NaiveDatetime": _is_naive,
    "AwareDatetime": _is_aware,
    "time": _is_time,
    "UUID": _is_uuid,
}


class Texts:
    """The strings at one place; `cells` where they are a CSV's, which has nothing else."""

    def __init__(self, cells: bool) -> None:
        self.count = 0
        self.na = False
        self._numbers = Numbers()
        self._cells = cells
        self._may_be = dict(_IN_JSON)
        if cells:
            self._may_be |= {"number": self._numbers.add, "bool": _is_bool}
        self._choices: Counter[str] | None = Counter()

    def add(self, values: list[str]) -> None:
        """Look at some more."""
        self.count += len(values)
        distinct = set(values)
        if self._choices is not None:
            self._choices.update(values if len(distinct) <= _MOST_CHOICES else distinct)
            if len(self._choices) > _MOST_CHOICES:
                self._choices = None
        if self._cells and "NA" in distinct:
            self.na = True
            distinct.remove("NA")
        for text in distinct:
            if not self._may_be:
                return
            for kind, fits in list(self._may_be.items()):
                if not fits(text):
                    del self._may_be[kind]

    def merge(self, other: Texts) -> None:
        """Add what another one has seen."""
        self.count += other.count
        self.na |= other.na
        self._numbers.merge(other._numbers)
        self._may_be = {k: fits for k, fits in self._may_be.items() if k in other._may_be}
        if self._choices is not None and other._choices is not None:
            self._choices.update(other._choices)
        else:
            self._choices = None

    def hint(self) -> str | None:
        """The type of all of them but NA; None for text."""
        if not self.count or (self._choices and set(self._choices) == {"NA"}):
            return None
        kinds = [self._numbers.hint() if kind == "number" else kind for kind in self._may_be]
        return next((kind for kind in kinds if kind), None)

    def choice(self) -> tuple[str, ...]:
        """The few values that they all are; empty where they are not a choice."""
        found = self._choices or Counter()
        if len(found) < 2 or len(found) > _MOST_CHOICES or min(found.values()) < _EACH_SEEN:
            return ()
        if self.count < max(_LEAST_SEEN, _ON_AVERAGE * len(found)):
            return ()
        if any(len(text) > 30 or not _WORD.fullmatch(text) for text in found):
            return ()
        # Codes of countries or currencies: others exist, and one will come some day.
        if all(_CODE.fullmatch(text) for text in found):
            return ()
        # Digits with leading zeros, for example: there are more of them.
        if any(text[0].isdigit() for text in found):
            return ()
        return tuple(sorted(found))
