"""The contract as nodes of which the SQL gate is sure, read from Pydantic's own core schema.

The core schema is what Pydantic's validator is built from, so nothing that judges a record can
hide from this: each kind and each setting of it must be known here by name, and anything else
(a custom validator, a strict mode, an alias of several) is Unknown, and Pydantic judges alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import BaseModel

from ingest.gate.leaves import LEAVES
from ingest.gate.nodes import (
    HARMLESS,
    Check,
    Field,
    Fields,
    Leaf,
    Many,
    Named,
    Node,
    Unknown,
    named,
    only,
)
from ingest.na import NA_IS_NULL
from ingest.schema import columns_of

_MOST_FIELDS = 400
# How records are judged and written; a model that overrides one does so its own way.
_WAYS = ("model_validate", "model_dump")


def compiled(record: type[BaseModel]) -> Fields:
    """The record model as a tree of nodes. Raises Unknown, and ContractError as columns_of."""
    columns_of(record)
    for name in _WAYS:
        own, usual = getattr(record, name), getattr(BaseModel, name)
        if getattr(own, "__func__", own) is not getattr(usual, "__func__", usual):
            raise Unknown(f"the record: a {name} of its own")
    node = _node(_unfolded(record.__pydantic_core_schema__, {}, ()), "the record")
    if not isinstance(node, Fields):
        raise Unknown("the record is no plain model")
    return node


def _unfolded(schema: Any, known: Mapping[str, Any], within: tuple[str, ...]) -> Any:
    """The schema with what is defined once and used several times put in each place.

    What holds itself is left as it is, and nobody knows it then.
    """
    if isinstance(schema, list):
        return [_unfolded(item, known, within) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kind = schema.get("type")
    if kind == "definitions" and isinstance(found := schema.get("definitions"), list):
        return _unfolded(schema["schema"], {item["ref"]: item for item in found}, within)
    if kind == "definition-ref" and schema.keys() <= {"type", "schema_ref", "metadata", "ref"}:
        name = schema["schema_ref"]
        if name in within or name not in known:
            return schema
        return _unfolded(known[name], known, (*within, name))
    # A default is a value of the user's, and no schema.
    return {
        key: value if key in ("default", "metadata") else _unfolded(value, known, within)
        for key, value in schema.items()
    }


def _node(schema: Mapping[str, Any], where: str) -> Node:
    kind = schema["type"]
    maker = _MAKERS.get(kind)
    if maker is None:
        raise Unknown(f"{where}: {named(schema)}")
    return maker(schema, where)


def _model(schema: Mapping[str, Any], where: str) -> Fields:
    only(schema, where, "schema", "config", "custom_init", "root_model", "frozen")
    if schema.get("custom_init") or schema.get("root_model"):
        raise Unknown(f"{where}: a model with an __init__ or a root of its own")
    config = dict(schema.get("config", ()))
    extra = config.pop("extra_fields_behavior", "ignore")
    if extra == "allow" or config.keys() - {"title", "frozen", "from_attributes"}:
        raise Unknown(f"{where}: its model_config")
    inner = schema["schema"]
    if inner["type"] != "model-fields":
        raise Unknown(f"{where}: {named(inner)}")
    only(inner, where, "fields", "model_name", "computed_fields")
    if inner.get("computed_fields"):
        raise Unknown(f"{where}: computed fields")
    fields = tuple(_field(name, field, where) for name, field in inner["fields"].items())
    # Such a model has no STRUCT: its column is JSON, whose text a parser may write anew.
    distinct = {field.key.lower() for field in fields}
    if not fields or len(distinct) < len(fields) or len(fields) > _MOST_FIELDS:
        raise Unknown(f"{where}: no field, too many, or two that differ by case")
    return Fields(fields, extra == "forbid")


def _field(name: str, field: Mapping[str, Any], where: str) -> Field:
    where = name if where == "the record" else f"{where}.{name}"
    only(field, where, "schema", "validation_alias", "serialization_alias")
    key = field.get("validation_alias", name)
    if key != field.get("serialization_alias", name) or not isinstance(key, str):
        raise Unknown(f"{where}: an alias that differs between reading and writing")
    inner, optional = field["schema"], False
    if inner["type"] == "default":
        only(inner, where, "schema", "default", "default_factory", "default_factory_takes_data")
        # Another default than None has to be written into the row: Pydantic does that.
        optional = "default" in inner and inner["default"] is None
        inner = inner["schema"]
    return Field(key, _node(inner, where), optional)


def _nullable(schema: Mapping[str, Any], where: str) -> Node:
    only(schema, where, "schema")
    return replace(_node(schema["schema"], where), nullable=True)


_TEXTS = ("str", "any", "union", "choice")


def _na_or(schema: Mapping[str, Any], where: str) -> Node:
    """`NA_IS_NULL` before a type, the one validator of the template's own."""
    if schema["function"] != {"type": "no-info", "function": NA_IS_NULL.func}:
        raise Unknown(f"{where}: a validator of its own")
    only(schema, where, "schema", "function")
    node = _node(schema["schema"], where)
    if not isinstance(node, Leaf) or not node.csv or not node.nullable or node.kind in _TEXTS:
        raise Unknown(f"{where}: NA_IS_NULL before text, or before what cannot be null")
    return replace(node, csv=f"(?:NA|{node.csv})", na=True)


def _list(schema: Mapping[str, Any], where: str) -> Many:
    only(schema, where, "items_schema", "min_length", "max_length")
    least, most = schema.get("min_length") or 0, schema.get("max_length")
    sizes = [f"<= {int(most)}"] if most is not None else []
    sizes += [f">= {int(least)}"] if least > 1 else []
    item = _node(schema["items_schema"], f"{where}[]")
    return Many(item, least > 0, tuple(_size(condition) for condition in sizes))


def _size(condition: str) -> Check:
    return lambda value: f"len({value}) {condition}"


def _dict(schema: Mapping[str, Any], where: str) -> Named:
    only(schema, where, "keys_schema", "values_schema")
    value = _node(schema["values_schema"], f"{where}.*")
    if set(schema["keys_schema"]) - HARMLESS or schema["keys_schema"]["type"] != "str":
        raise Unknown(f"{where}: keys that are not plain strings")
    if not isinstance(value, Leaf) or value.checks:  # they would be lost
        raise Unknown(f"{where}: a dict of more than plain values")
    return Named(value)


_MAKERS = {
    **LEAVES,
    "dict": _dict,
    "function-before": _na_or,
    "list": _list,
    "model": _model,
    "nullable": _nullable,
}
