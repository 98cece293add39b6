"""The gate's SQL for Parquet: what must hold of values that have types already."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from duckdb.sqltypes import DuckDBPyType

from ingest.duck import quote
from ingest.gate.nodes import Fields, Leaf, Many, Node, Unknown

# What may hold Parquet's values of which sort, for each kind of leaf.
_WHOLE = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"}
_PARQUET = {
    "int": _WHOLE,
    "float": {"DOUBLE", "FLOAT", *_WHOLE},
    "bool": {"BOOLEAN"},
    "date": {"DATE"},
    "uuid": {"UUID"},
    "datetime aware": {"TIMESTAMP WITH TIME ZONE"},
    "datetime naive": {"TIMESTAMP"},
    "datetime any": {"TIMESTAMP", "TIMESTAMP WITH TIME ZONE"},
}


def from_parquet(
    record: Fields, columns: dict[str, str], types: dict[str, DuckDBPyType], table: str
) -> str:
    """A SELECT over Parquet's typed columns: see from_json; `_raw` is only empty or null.

    Raises Unknown where a column's type is not one that the contract's field takes as it is.
    """
    # What stands for an item must be no column's name: DuckDB would take it for the column.
    taken = {name.lower() for name in types}
    names = (name for name in map("x{}".format, itertools.count()) if name not in taken)
    checks, values = ["TRUE"], []
    if record.closed and types.keys() - {field.key for field in record.fields}:
        raise Unknown("the record forbids columns that the file has")
    for field in record.fields:
        kind, held, column = columns[field.key], types.get(field.key), quote(field.key)
        value = "NULL"
        if held is not None:
            checks += _held(field.node, column, held, field.key, names)
            value = _as_held(field.node, column, held, names)
        elif not field.optional:
            raise Unknown(f"{field.key}: no such column in the file")
        values.append(f", TRY_CAST({value} AS {kind}) AS {column}")
    return (
        f"SELECT file_row_number AS _position, CASE WHEN {' AND '.join(checks)} THEN NULL ELSE '' "
        f"END AS _raw{''.join(values)} FROM {table}"
    )


def _children(held: DuckDBPyType) -> dict[str, DuckDBPyType]:
    """The parts of a nested type by their names; a list's is `child`."""
    return {str(name): kind for name, kind in held.children if isinstance(kind, DuckDBPyType)}


def _held(
    node: Node, value: str, held: DuckDBPyType, where: str, names: Iterator[str]
) -> Iterator[str]:
    """What must hold of a value of this type; raises Unknown for one that the node does not take."""
    if not node.nullable:
        yield f"{value} IS NOT NULL"
    if isinstance(node, Fields) and held.id == "struct":
        parts = _children(held)
        if node.closed and parts.keys() - {field.key for field in node.fields}:
            raise Unknown(f"{where} forbids fields that the file has")
        for field in node.fields:
            if field.key in parts:
                inner = f"{value}.{quote(field.key)}"
                found = _held(field.node, inner, parts[field.key], f"{where}.{field.key}", names)
                yield from (f"({value} IS NULL OR {check})" for check in found)
            elif not field.optional:
                raise Unknown(f"{where}.{field.key}: no such field in the file")
    elif isinstance(node, Many) and held.id == "list":
        least = (lambda held: f"len({held}) > 0",) if node.filled else ()
        yield from (f"coalesce({check(value)}, TRUE)" for check in (*least, *node.checks))
        item = next(names)
        inner = list(_held(node.item, item, _children(held)["child"], f"{where}[]", names))
        wrong = f"list_filter({value}, lambda {item}: NOT ({' AND '.join(inner)}))"
        if inner:
            yield f"coalesce(len({wrong}) = 0, TRUE)"
    elif isinstance(node, Leaf):
        yield from _leaf_checks(node, value, str(held), where)
    else:
        raise Unknown(f"{where}: {held} in Parquet")


def _as_held(node: Node, value: str, held: DuckDBPyType, names: Iterator[str]) -> str:
    """The value with the contract's fields alone, in its order."""
    if isinstance(node, Fields):
        parts = _children(held)
        packed = ", ".join(
            f"{quote(field.key)} := "
            + (
                _as_held(field.node, f"{value}.{quote(field.key)}", parts[field.key], names)
                if field.key in parts
                else "NULL"
            )
            for field in node.fields
        )
        return f"CASE WHEN {value} IS NOT NULL THEN struct_pack({packed}) END"
    if isinstance(node, Many) and not isinstance(node.item, Leaf):
        item = next(names)
        inner = _as_held(node.item, item, _children(held)["child"], names)
        return f"list_transform({value}, lambda {item}: {inner})"
    return value


def _leaf_checks(node: Leaf, column: str, held: str, name: str) -> Iterator[str]:
    conditions = (*node.checks, *node.typed)
    if node.kind == "str" and held == "VARCHAR":
        yield from (f"coalesce({check(column)}, TRUE)" for check in conditions)
        return
    decimal = held.startswith("DECIMAL(") and node.kind.startswith("decimal")
    if decimal:
        places = int(held.rstrip(")").split(",")[1])
        if places > int(node.kind.split()[1]):
            raise Unknown(f"{name}: {held} has more places than the contract")
    elif held not in _PARQUET.get(node.kind, ()):
        raise Unknown(f"{name}: {held} in Parquet")
    if node.kind.startswith(("date", "datetime")):
        # Python's years; an infinite date has none.
        year = f"coalesce(year({column}) BETWEEN 1 AND 9999, FALSE)"
        yield f"({column} IS NULL OR (isfinite({column}) AND {year}))"
    yield from (f"coalesce({check(column)}, TRUE)" for check in conditions)
