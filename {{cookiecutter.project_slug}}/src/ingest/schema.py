"""The contract's fields as typed DuckDB columns."""

import types
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin
from uuid import UUID

from pydantic import (
    AwareDatetime,
    BaseModel,
    NaiveDatetime,
    PydanticUserError,
    RootModel,
    TypeAdapter,
)
from pydantic.fields import FieldInfo

from ingest.duck import quote
from ingest.errors import ContractError

# Names that the engine writes itself.
RESERVED = ("_position", "_raw", "_run_id", "_loaded_at")
_SCALARS: dict[Any, str] = {
    str: "VARCHAR",
    bool: "BOOLEAN",
    int: "BIGINT",
    float: "DOUBLE",
    date: "DATE",
    datetime: "TIMESTAMPTZ",
    AwareDatetime: "TIMESTAMPTZ",
    NaiveDatetime: "TIMESTAMP",
    time: "TIME",
    UUID: "UUID",
}
_BY_JSON_TYPE = {
    "string": "VARCHAR",
    "integer": "BIGINT",
    "number": "DOUBLE",
    "boolean": "BOOLEAN",
}
_LISTS = (list, set, frozenset, Sequence, AbstractSet)


def columns_of(record: type[BaseModel]) -> dict[str, str]:
    """Each column's name (the alias where there is one) with its DuckDB type.

    Raises ContractError for a contract that no table can hold.
    """
    if record.model_config.get("extra") == "allow":
        raise _error(record, "allows extra fields, which have no column. Say forbid or ignore.")
    columns: dict[str, str] = {}
    for name, hint, metadata in _fields(record):
        if name.lower() in RESERVED:
            raise _error(record, f"has a column {name!r}, a name that each load writes itself.")
        if name.lower() in {column.lower() for column in columns}:
            raise _error(record, f"has two columns {name!r}: the warehouse ignores case.")
        columns[name] = _type_of(hint, metadata, f"{record.__name__}.{name}", (record,))
    if not columns:
        raise _error(record, "has no fields.")
    return columns


def never_null(record: type[BaseModel]) -> frozenset[str]:
    """The columns that are null for no record, by the types of their fields."""
    optional = {
        field.serialization_alias or name
        for name, field in record.model_fields.items()
        if field.default is None
    }
    return frozenset(
        name for name, hint, _ in _fields(record) if name not in optional and not _takes_none(hint)
    )


def _takes_none(hint: Any) -> bool:
    if hint in (None, types.NoneType, Any, object):
        return True
    if hasattr(hint, "__value__"):  # type X = …
        return _takes_none(hint.__value__)
    if hasattr(hint, "__supertype__"):  # NewType
        return _takes_none(hint.__supertype__)
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _takes_none(args[0])
    if origin is Literal:
        return None in args
    if isinstance(hint, type) and issubclass(hint, Enum):
        return any(member.value is None for member in hint)
    if isinstance(hint, type) and issubclass(hint, RootModel):
        return _takes_none(hint.model_fields["root"].annotation)
    return origin in (Union, types.UnionType) and any(map(_takes_none, args))


def _error(record: type[BaseModel], what: str) -> ContractError:
    return ContractError(f"In contract.py, {record.__name__} {what}")


def _fields(record: type[BaseModel]) -> Iterator[tuple[str, Any, tuple[Any, ...]]]:
    """What a dumped record holds: name, type and metadata of each field."""
    for name, field in record.model_fields.items():
        if field.exclude is not True:
            yield field.serialization_alias or name, field.annotation, tuple(field.metadata)
    for name, computed in record.model_computed_fields.items():
        yield computed.alias or name, computed.return_type, ()


def _type_of(hint: Any, metadata: tuple[Any, ...], where: str, within: tuple[type, ...]) -> str:
    """The column type of a type hint; `within` holds the models that are being unfolded."""
    hint, metadata = _unwrapped(hint, metadata)
    if hint in _SCALARS:
        return _SCALARS[hint]
    origin, args = get_origin(hint), get_args(hint)
    if hint is Decimal:
        return _decimal(metadata, where)
    if origin is Literal:
        return _of_values(args)
    if origin in _LISTS and args:
        return _type_of(args[0], (), f"{where}[]", within) + "[]"
    if origin is tuple and len(args) == 2 and args[1] is ...:
        return _type_of(args[0], (), f"{where}[]", within) + "[]"
    if origin in (dict, Mapping) and len(args) == 2:
        return f"MAP(VARCHAR, {_type_of(args[1], (), f'{where}.*', within)})"
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _of_values(tuple(member.value for member in hint))
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return _struct(hint, where, within)
    return "JSON" if origin in (Union, types.UnionType) else _by_json_schema(hint)


def _unwrapped(hint: Any, metadata: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
    """Take Annotated, type aliases and Optional off a hint, keeping what they say of it."""
    while True:
        if hint in _SCALARS:
            return hint, metadata
        if get_origin(hint) is Annotated:
            hint, *more = get_args(hint)
            inner: tuple[Any, ...] = ()
            for item in more:
                inner += tuple(item.metadata) if isinstance(item, FieldInfo) else (item,)
            # What stands further out overrides what an alias says within.
            metadata = inner + metadata
        elif hasattr(hint, "__value__"):  # type X = …
            hint = hint.__value__
        elif get_origin(hint) in (Union, types.UnionType):
            options = [option for option in get_args(hint) if option is not type(None)]
            if len(options) != 1:
                return hint, metadata
            hint = options[0]
        elif hasattr(hint, "__supertype__"):  # NewType
            hint = hint.__supertype__
        else:
            return hint, metadata


def _decimal(metadata: tuple[Any, ...], where: str) -> str:
    places = _outermost(metadata, "decimal_places")
    if places is not None and 0 <= places <= 38:
        digits = _outermost(metadata, "max_digits")
        # Up to 18 digits are one machine word, which is several times as fast as two.
        width = 18 if digits is not None and places <= digits <= 18 else 38
        return f"DECIMAL({width}, {places})"
    raise ContractError(
        f"In contract.py, {where} is a Decimal that does not say how many "
        "places it has. Write Annotated[Decimal, Field(decimal_places=2)]."
    )


def _outermost(metadata: tuple[Any, ...], setting: str) -> int | None:
    found = (getattr(item, setting, None) for item in reversed(metadata))
    return next((value for value in found if value is not None), None)


def _of_values(values: tuple[Any, ...]) -> str:
    kinds = {type(value) for value in values if value is not None}
    return _SCALARS.get(kinds.pop(), "JSON") if len(kinds) == 1 else "JSON"


def _struct(model: type[BaseModel], where: str, within: tuple[type, ...]) -> str:
    fields = list(_fields(model))
    distinct = {name.lower() for name, _, _ in fields}
    # A model that contains itself, keeps extra fields or differs by case fits no STRUCT.
    open_ended = model in within or model.model_config.get("extra") == "allow"
    if open_ended or not fields or len(distinct) < len(fields) or "root" in model.model_fields:
        return "JSON"
    inner = ", ".join(
        f"{quote(name)} {_type_of(hint, metadata, f'{where}.{name}', (*within, model))}"
        for name, hint, metadata in fields
    )
    return f"STRUCT({inner})"


def _by_json_schema(hint: Any) -> str:
    """Types such as URLs, paths and durations: as Pydantic writes them in JSON."""
    try:
        schema = TypeAdapter(hint).json_schema(mode="serialization")
    except PydanticUserError:
        return "JSON"
    return _BY_JSON_TYPE.get(schema.get("type", ""), "JSON")
