"""What changes between the source and the table. Yours to edit."""

from __future__ import annotations

import duckdb


def transform(records: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    """Turn accepted records into the rows that are loaded.

    `records` has one column for each field of the contract. Return a relation with the
    columns of KEY in it, each key once. To load records as they are, `return records`.
    Relations also have filter, join and aggregate; what is given them is DuckDB's SQL.
    A transform in Python, of one record at a time, is possible too: see docs/CONTRACT.md.
    """
    return records.project(
        """
        * REPLACE (struct_update(customer, email := lower(customer.email)) AS customer),
        -- DECIMAL keeps cents exact, which a float would not.
        list_sum(
            list_transform(items, lambda item: item.quantity * item.unit_price)
        )::DECIMAL(18, 2) AS items_total,
        (items_total + shipping)::DECIMAL(18, 2) AS order_total
        """
    )
