"""How the engine tells of its progress, without knowing who listens."""

from typing import Protocol


class Line(str):
    """A text for a `Say` that is worth a line in a log, whatever was said a moment ago."""

    __slots__ = ()


class Say(Protocol):
    """Hears of progress, often: it must be cheap to call, and must not raise.

    text: what has been done so far, in one line; what happens seldom and explains what a person
    sees, such as a wait, is a `Line`. done: the share of the work that this is,
    from 0 to 1, or None where nobody knows how much there is.
    """

    def __call__(self, text: str, done: float | None = None) -> None: ...


def silent(text: str, done: float | None = None) -> None:
    """A `Say` that nobody listens to."""
