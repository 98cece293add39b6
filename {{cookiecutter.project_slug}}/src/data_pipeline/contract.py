"""The data contract. Yours to edit: what a record must be, what names it, where it goes.

Each record of the source is judged by `Record.model_validate`. What it refuses goes to the
quarantine folder with the reason; the rest is loaded, one column for each field. To begin
with your own data, write its fields here, set KEY and TABLE, and see transform.py.
"""

from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, Field

from ingest.contract import Contract

Name = Annotated[str, Field(min_length=1, max_length=200)]
Money = Annotated[Decimal, Field(ge=0, max_digits=12, decimal_places=2)]


class Customer(BaseModel):
    """Who ordered."""

    customer_id: int = Field(ge=1)
    name: Name
    email: str = Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")
    country: str = Field(pattern=r"^[A-Z]{2}$", description="ISO 3166-1, two letters")


class Item(BaseModel):
    """One line of an order."""

    sku: str = Field(min_length=1)
    quantity: int = Field(ge=1, le=1000)
    unit_price: Money


class Record(BaseModel):
    """One order."""

    order_id: int = Field(ge=1)
    status: Literal["pending", "paid", "shipped", "delivered", "cancelled"]
    customer: Customer
    items: list[Item] = Field(min_length=1)
    currency: str = Field(pattern=r"^[A-Z]{3}$", description="ISO 4217, three letters")
    shipping: Money
    ordered_at: AwareDatetime
    updated_at: AwareDatetime
    note: str | None = None


# The columns that name a row of the table. A run inserts new keys and updates known ones;
# of equal keys in one source the last wins. An empty KEY, (), replaces the whole table.
KEY: tuple[str, ...] = ("order_id",)
TABLE = "orders"

# By which field records are newer or older, for runs with mode=incremental or backfill; an
# incremental one goes back by the overlap, for records that come late.
WATERMARK = "updated_at"
OVERLAP = timedelta(hours=1)

CONTRACT = Contract(record=Record, key=KEY, table=TABLE, watermark=WATERMARK, overlap=OVERLAP)
