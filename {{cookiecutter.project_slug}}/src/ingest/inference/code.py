"""Writes a contract as a person would have written it, in the layout of `ruff format`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

from ingest.inference.names import MODULES, class_name, column_names, field_name, spelled, width
from ingest.inference.shapes import (
    ANY,
    Choice,
    Either,
    Many,
    Mapped,
    Maybe,
    Part,
    Parts,
    Plain,
    Shape,
)
from ingest.schema import RESERVED

_WIDTH = 100
# A longer type gets a name of its own.
_MOST_HINT = 30
_SECTIONS = (("datetime", "decimal", "typing", "uuid"), ("pydantic",), tuple(MODULES)[-2:])
_KEYED = """\
# The columns that name a row of the table: unique and never null over the whole source. A run
# inserts new keys and updates known ones; an empty KEY, (), replaces the whole table.
"""
_KEYLESS = """\
# No column of the source is named like a key and was unique and never null over all of it, so
# each run replaces the whole table. Name a row here, as in ("order_id",), to update it.
"""
_WATERMARK = """\
# Runs with mode=incremental or backfill also need watermark="updated_at": the field by which
# records are newer or older.
"""
_RENAMED = (
    "    # Another column has this name in the warehouse, which ignores case, or it can have none."
)


class Code:
    """The text of a contract, and the names that its code is made of."""

    def __init__(self, record: Parts, key: str | None, table: str) -> None:
        """key: the source's own name of the field, if there is one."""
        self.names: set[str] = {"Record"}
        self._types: list[str] = []  # that need no class
        self._classes: list[str] = []
        self._named: dict[Shape, str] = {}
        # A type of such a name would make its field have another one.
        self._fields = set(_field_names(record))
        columns = _columns(record)
        self._class("Record", record, "One record of the source.", columns)
        self.key = (columns[key],) if key is not None else ()
        self.text = self._written(table)

    def _written(self, table: str) -> str:
        keys = f"KEY: tuple[str, ...] = ({''.join(spelled(name) + ',' for name in self.key)})"
        if width(keys) > _WIDTH:
            keys = _exploded("KEY: tuple[str, ...] = (", map(spelled, self.key), ")")
        end = (
            (_KEYED if self.key else _KEYLESS) + keys,
            f"TABLE = {spelled(table)}\n",
            _WATERMARK + "CONTRACT = Contract(record=Record, key=KEY, table=TABLE)\n",
        )
        types = "\n".join(self._types) + "\n\n\n" if self._types else ""
        if not types and self._classes[0].startswith("class "):
            types = "\n"
        body = types + "\n\n\n".join(self._classes) + "\n\n\n" + "\n".join(end)
        return _imports(body) + "\n" + body

    def _class(self, name: str, shape: Parts, what: str, columns: dict[str, str]) -> None:
        # The classes and types that the fields need come first: no field may have their names.
        hints = [self._hint(part.shape, part.name) for part in shape.parts]
        kept = {part.name for part in shape.parts if field_name(part.name, self.names) == part.name}
        taken = self.names | kept
        lines = [f"class {name}(BaseModel):", f'    """{what}"""', ""]
        for part, hint in zip(shape.parts, hints, strict=True):
            python = part.name if part.name in kept else field_name(part.name, taken)
            taken.add(python)
            lines += _field(part, python, hint, columns[part.name])
        self._classes.append("\n".join(lines))

    def _hint(self, shape: Shape, where: str, most: int = _MOST_HINT) -> str:
        """The type as code; a new type is called after the field `where`."""
        if isinstance(shape, Plain):
            if re.fullmatch("Decimal[0-9]+", shape.name):
                self._decimal(shape.name)
            return shape.name
        if isinstance(shape, Maybe):
            return f"{self._hint(shape.shape, where)} | None"
        if isinstance(shape, Parts):
            return self._model(shape, where)
        if isinstance(shape, Choice):
            code = f"Literal[{', '.join(map(spelled, shape.values))}]"
        elif isinstance(shape, Many):
            code = f"list[{self._hint(shape.item, _singular(where))}]"
        elif isinstance(shape, Mapped):
            code = f"dict[str, {self._hint(shape.value, where)}]"
        else:
            code = " | ".join(self._hint(one, where, most=20) for one in shape.shapes)
        return code if width(code) <= most else self._type(shape, code, where)

    def _decimal(self, name: str) -> None:
        if name not in self.names:
            self.names.add(name)
            places = name.removeprefix("Decimal")
            limits = f"max_digits=38, decimal_places={places}"
            self._types.append(f"{name} = Annotated[Decimal, Field({limits})]")

    def _type(self, shape: Shape, code: str, where: str) -> str:
        if shape not in self._named:
            name = self._new_name(where)
            line = f"{name} = {code}"
            # No other type is so long: what it is made of has a name of its own before.
            if width(line) > _WIDTH and isinstance(shape, Choice):
                line = _exploded(f"{name} = Literal[", map(spelled, shape.values), "]")
            self._named[shape] = name
            # It may hold a class, and so has to stand below it.
            place = self._types if isinstance(shape, Choice) else self._classes
            place.append(line)
        return self._named[shape]

    def _model(self, shape: Parts, where: str) -> str:
        if shape not in self._named:
            name = self._new_name(where)
            what = f"An object within `{field_name(where, set())}`."
            self._class(name, shape, what, _columns(shape, ()))
            self._named[shape] = name
        return self._named[shape]

    def _new_name(self, where: str) -> str:
        taken = self.names | self._fields | {f"Decimal{places}" for places in range(39)}
        name = class_name(where, taken)
        self.names.add(name)
        return name


def _columns(shape: Parts, reserved: tuple[str, ...] = RESERVED) -> dict[str, str]:
    names = [part.name for part in shape.parts]
    return dict(zip(names, column_names(names, reserved), strict=True))


def _singular(name: str) -> str:
    return name[:-1] if name.endswith("s") and not name.endswith("ss") else name


def _field_names(shape: Shape) -> Iterator[str]:
    if isinstance(shape, Parts):
        for part in shape.parts:
            yield part.name
            yield from _field_names(part.shape)
    for inner in _inner(shape):
        yield from _field_names(inner)


def _inner(shape: Shape) -> tuple[Shape, ...]:
    if isinstance(shape, Many):
        return (shape.item,)
    if isinstance(shape, Mapped):
        return (shape.value,)
    if isinstance(shape, Maybe):
        return (shape.shape,)
    return shape.shapes if isinstance(shape, Either) else ()


def _field(part: Part, python: str, hint: str, column: str) -> list[str]:
    """The lines of a field."""
    default = "None" if part.optional else ""
    if part.optional and part.shape != ANY:
        hint = f"{hint} | None"
        if isinstance(part.shape, Plain) and part.shape.na:
            hint = f"Annotated[{hint}, NA_IS_NULL]"
    if python == part.name == column:
        return [f"    {python}: {hint}{' = ' + default if default else ''}"]
    given = [f"default={default}"] if default else []
    given.append(f"alias={spelled(part.name)}")
    lines = []
    if column != part.name:
        given.append(f"serialization_alias={spelled(column)}")
        lines.append(_RENAMED)
    line = f"    {python}: {hint} = Field({', '.join(given)})"
    if width(line) > _WIDTH:
        line = _exploded(f"    {python}: {hint} = Field(", given, "    )", "    ")
    return [*lines, line]


def _exploded(head: str, items: Iterable[str], tail: str, indent: str = "") -> str:
    """One item a line, and a comma behind the last, which makes a formatter keep them so."""
    return "\n".join([head, *(f"{indent}    {item}," for item in items), tail])


def _imports(body: str) -> str:
    used = {node.id for node in ast.walk(ast.parse(body)) if isinstance(node, ast.Name)}
    sections = []
    for section in _SECTIONS:
        lines = [
            f"from {module} import {', '.join(names)}"
            for module in section
            if (names := [name for name in MODULES[module] if name in used])
        ]
        if lines:
            sections.append("\n".join(lines))
    return "\n\n".join(sections) + "\n"
