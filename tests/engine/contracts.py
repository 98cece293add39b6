"""Contracts of any fields, drawn by hypothesis."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

from hypothesis import strategies as st
from ingest.na import NA_IS_NULL
from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    NaiveDatetime,
    StringConstraints,
    create_model,
)


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 0
    HIGH = 1


class Inner(BaseModel):
    a: int
    b: str | None = None


Value = TypeVar("Value")


class Holding(BaseModel, Generic[Value]):
    a: Value


class Chain(BaseModel):
    a: int
    b: Chain | None = None


class Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")
    a: Annotated[int, Field(ge=-3, le=250)]
    d: Decimal = Field(decimal_places=2, max_digits=8, ge=0)


SCALARS: list[Any] = [
    int,
    Annotated[int, Field(ge=0)],
    Annotated[int, Field(gt=-7, lt=1234)],
    Annotated[int, Field(le=-1)],
    float,
    Annotated[float, Field(ge=0, lt=100.5)],
    Annotated[float, Field(allow_inf_nan=False)],
    bool,
    str,
    Annotated[str, Field(min_length=1)],
    Annotated[str, Field(min_length=2, max_length=3)],
    Annotated[str, Field(pattern=r"^[A-Z]{2}$")],
    Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")],
    Annotated[str, Field(pattern=r"\d+-(?:x|y)?", max_length=8)],
    Annotated[str, Field(pattern=r"^\w*.$")],
    Annotated[str, Field(pattern=r"^[\][a]]$")],
    date,
    datetime,
    AwareDatetime,
    NaiveDatetime,
    UUID,
    Annotated[Decimal, Field(decimal_places=2)],
    Annotated[Decimal, Field(decimal_places=2, max_digits=5, gt=0)],
    Annotated[Decimal, Field(decimal_places=2, max_digits=3, le=Decimal("1.5"))],
    Annotated[Decimal, Field(decimal_places=30)],
    Annotated[Decimal, Field(decimal_places=0, ge=Decimal(-5))],
    Annotated[Decimal, Field(decimal_places=10, le=Decimal("1.5"))],
    Literal["a", "b c", "é"],
    Literal["a", None],
    Literal[1, 2, True],
    Colour,
    Level,
    int | str,
    int | bool,
    float | bool,
    int | float | str | None,
    Any,
]
HINTS: list[Any] = [
    *SCALARS,
    *(hint | None for hint in SCALARS if hint is not Any),
    Inner,
    Inner | None,
    Closed,
    Holding[int],
    Chain | None,
    list[Chain],
    list[int],
    list[Any],
    list[dict[str, int]],
    list[str | None],
    list[Inner],
    list[Closed] | None,
    Annotated[list[float], Field(min_length=1, max_length=2)],
    list[list[Annotated[str, Field(max_length=2)]]],
    dict[str, int],
    dict[str, Any],
    dict[str, str | None],
]
WITH_NA = [Annotated[hint | None, NA_IS_NULL] for hint in (int, float, bool, date, AwareDatetime)]
# What the gate does not know. One such field or setting closes the gate for the whole contract,
# so few contracts have any, and those have many.
UNKNOWN: list[Any] = [
    Annotated[int, Field(multiple_of=5)],
    Annotated[float, Field(multiple_of=0.5)],
    Annotated[int, Field(strict=True)],
    Annotated[bool, Field(strict=True)],
    Annotated[str, StringConstraints(strip_whitespace=True)],
    Annotated[date, Field(gt=date(2024, 2, 28))],
    Annotated[date | None, Field(le=date(2024, 2, 28))],
    Annotated[datetime, Field(lt=datetime(2000, 1, 1))],
]
SETTINGS = [
    ConfigDict(strict=True),
    ConfigDict(str_strip_whitespace=True),
    ConfigDict(str_max_length=2),
]
NAMES = ["a", "b", "A b", "é", "id", "line", "number", "r", 'q"uote', "x'y", "back\\slash"]


@st.composite
def contracts(draw: st.DrawFn, hints: list[Any]) -> type[BaseModel]:
    """A record model of some fields, some of them optional."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=5, unique_by=str.lower))
    fields: dict[str, Any] = {}
    known = draw(st.integers(0, 6))
    if known == 6:
        hints = UNKNOWN
    for place, name in enumerate(names):
        hint = draw(st.sampled_from(hints))
        other = 7 if hint in (int, int | None, int | str) else None
        default = draw(st.sampled_from([..., ..., None, other]))
        fields[f"f{place}"] = (hint, Field(default, alias=name))
    config = ConfigDict(extra=draw(st.sampled_from(["ignore", "ignore", "forbid"])))
    if known == 5:
        config |= draw(st.sampled_from(SETTINGS))
    return create_model("Record", __config__=config, **fields)
