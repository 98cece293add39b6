"""The contract's fields become typed columns."""

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Annotated, Any, Literal, NewType, Optional
from uuid import UUID

import pytest
from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    HttpUrl,
    NaiveDatetime,
    RootModel,
    computed_field,
    create_model,
)
from typing_extensions import TypeAliasType

from ingest.errors import ContractError
from ingest.schema import columns_of, never_null


class Colour(Enum):
    RED = "red"


class Perhaps(Enum):
    NOT = None
    YES = 1


class Size(IntEnum):
    SMALL = 1


class Place(BaseModel):
    city: str
    zip_code: str = Field(alias="zip")


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")


class Tree(BaseModel):
    children: list["Tree"]


Money = Annotated[Decimal, Field(decimal_places=2)]
Price = Annotated[Decimal, Field(max_digits=18, decimal_places=2)]


@pytest.mark.parametrize(
    ("hint", "column"),
    [
        (str, "VARCHAR"),
        (int | None, "BIGINT"),
        (float, "DOUBLE"),
        (bool, "BOOLEAN"),
        (Money, "DECIMAL(38, 2)"),
        (Money | None, "DECIMAL(38, 2)"),
        (list[Money], "DECIMAL(38, 2)[]"),
        (Price, "DECIMAL(18, 2)"),
        (Annotated[Price, Field(max_digits=19)], "DECIMAL(38, 2)"),
        (Annotated[Money, Field(max_digits=12)], "DECIMAL(18, 2)"),
        (date, "DATE"),
        (datetime, "TIMESTAMPTZ"),
        (AwareDatetime, "TIMESTAMPTZ"),
        (AwareDatetime | None, "TIMESTAMPTZ"),
        (NaiveDatetime, "TIMESTAMP"),
        (time, "TIME"),
        (timedelta, "VARCHAR"),
        (UUID, "UUID"),
        (Colour, "VARCHAR"),
        (Size, "BIGINT"),
        (Literal["a", "b"], "VARCHAR"),
        (Literal["a", 1], "JSON"),
        (HttpUrl, "VARCHAR"),
        (set[int], "BIGINT[]"),
        (dict[str, float], "MAP(VARCHAR, DOUBLE)"),
        (Place, 'STRUCT("city" VARCHAR, "zip" VARCHAR)'),
        (list[Place], 'STRUCT("city" VARCHAR, "zip" VARCHAR)[]'),
        (Tree, 'STRUCT("children" JSON[])'),
        (Open, "JSON"),
        (int | str, "JSON"),
        (list, "JSON"),
        (Any, "JSON"),
    ],
)
def test_a_type_has_its_column(hint: Any, column: str) -> None:
    assert columns_of(create_model("Record", value=(hint, ...))) == {"value": column}


def test_a_column_is_called_as_the_source_calls_it() -> None:
    class Record(BaseModel):
        unit_price: int = Field(alias="Unit Price")
        secret: str = Field(exclude=True)

        @computed_field
        @property
        def double(self) -> int:
            return self.unit_price * 2

    assert columns_of(Record) == {"Unit Price": "BIGINT", "double": "BIGINT"}


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"price": (Decimal, ...)}, "Record.price is a Decimal.*decimal_places=2"),
        ({"prices": (list[Decimal], ...)}, "decimal_places=2"),
        ({"x": (int, Field(alias="_run_id"))}, "_run_id"),
        ({"a": (int, ...), "A": (int, ...)}, "ignores case"),
        ({}, "no fields"),
    ],
)
def test_a_contract_that_no_table_can_hold_is_refused(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ContractError, match=says):
        columns_of(create_model("Record", **fields))


Code = NewType("Code", str)
Maybe = TypeAliasType("Maybe", int | None)


@pytest.mark.parametrize(
    ("hint", "never"),
    [
        (int, True),
        (Code, True),
        (list[int | None], True),
        (Annotated[int, Field(gt=1)], True),
        (Literal["a"], True),
        (int | str, True),
        (int | None, False),
        (Annotated[Optional[int], Field(gt=1)], False),  # noqa: UP045
        (Maybe, False),
        (Literal["a", None], False),
        (Perhaps, False),
        (RootModel[int | None], False),
        (RootModel[int], True),
        (Any, False),
    ],
)
def test_it_is_known_which_columns_are_never_null(hint: Any, never: bool) -> None:
    record = create_model("Record", value=(hint, Field(alias="Value")))
    assert never_null(record) == ({"Value"} if never else set())
    assert not never_null(create_model("Record", value=(hint, None)))
