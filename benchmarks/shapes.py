"""The columns of the orders, and the contract of their flat form.

Plain values, since both a candidate in the stamped project's environment and one in the
benchmarks' own import this file.
"""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, Field

# The types that the contract of a stamped project asks for, for DuckDB's own load.
COLUMNS = {
    "order_id": "BIGINT",
    "status": "VARCHAR",
    "customer": "STRUCT(customer_id BIGINT, name VARCHAR, email VARCHAR, country VARCHAR)",
    "items": "STRUCT(sku VARCHAR, quantity BIGINT, unit_price DECIMAL(12, 2))[]",
    "currency": "VARCHAR",
    "shipping": "DECIMAL(12, 2)",
    "ordered_at": "TIMESTAMPTZ",
    "updated_at": "TIMESTAMPTZ",
    "note": "VARCHAR",
}
# Each column of the CSV file and where its value lies in an order; of the items the first.
FLATTENED = {
    "order_id": "order_id",
    "status": "status",
    "customer_id": "customer.customer_id",
    "customer_name": "customer.name",
    "customer_email": "customer.email",
    "customer_country": "customer.country",
    "sku": "items[1].sku",
    "quantity": "items[1].quantity",
    "unit_price": "items[1].unit_price",
    "currency": "currency",
    "shipping": "shipping",
    "ordered_at": "ordered_at",
    "updated_at": "updated_at",
    "note": "note",
}
FLAT_COLUMNS = {
    "order_id": "BIGINT",
    "status": "VARCHAR",
    "customer_id": "BIGINT",
    "customer_name": "VARCHAR",
    "customer_email": "VARCHAR",
    "customer_country": "VARCHAR",
    "sku": "VARCHAR",
    "quantity": "BIGINT",
    "unit_price": "DECIMAL(12, 2)",
    "currency": "VARCHAR",
    "shipping": "DECIMAL(12, 2)",
    "ordered_at": "TIMESTAMPTZ",
    "updated_at": "TIMESTAMPTZ",
    "note": "VARCHAR",
}

Name = Annotated[str, Field(min_length=1, max_length=200)]
Money = Annotated[Decimal, Field(ge=0, max_digits=12, decimal_places=2)]


class FlatRecord(BaseModel):
    """One order as a row of CSV, with the rules of the nested contract."""

    order_id: int = Field(ge=1)
    status: Literal["pending", "paid", "shipped", "delivered", "cancelled"]
    customer_id: int = Field(ge=1)
    customer_name: Name
    customer_email: str = Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")
    customer_country: str = Field(pattern=r"^[A-Z]{2}$")
    sku: str = Field(min_length=1)
    quantity: int = Field(ge=1, le=1000)
    unit_price: Money
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    shipping: Money
    ordered_at: AwareDatetime
    updated_at: AwareDatetime
    note: str | None = None
