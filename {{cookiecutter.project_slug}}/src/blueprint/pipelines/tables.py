"""The tables that the pipelines of this project load: each one's own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from blueprint.pipelines import copies
from blueprint.pipelines.which import given_or_default, package_of, part, path_of
from blueprint.project import Problem
from ingest.errors import PipelineError


def table_of(package: str) -> str | None:
    """The table that a pipeline loads; None where its contract does not tell."""
    try:
        return str(part(package, "contract").CONTRACT.table)
    except (Problem, AttributeError):  # validate-setup says it
        return copies.table_in(path_of(package, "contract"))


def owner(table: str, packages: Iterable[str]) -> str | None:
    """Which of the pipelines loads a table."""
    same = (one for one in packages if (table_of(one) or "").lower() == table.lower())
    return next(same, None)


def free(table: str, packages: Iterable[str]) -> str:
    """The table's name, or one like it that none of the pipelines has."""
    taken = {(table_of(one) or "").lower() for one in packages}
    found, number = table, 2
    while found.lower() in taken:
        found, number = f"{table}_{number}", number + 1
    return found


def shared(deployments: Iterable[Mapping[str, Any]]) -> list[str]:
    """Where two pipelines load one table of one target, each a sentence."""
    loaders: dict[tuple[str, str], dict[str, None]] = {}
    for one in deployments:
        package = package_of(one)
        if table := table_of(package):
            loaders.setdefault((_target(one), table.lower()), {})[package] = None
    return [
        f"{' and '.join(packages)} both load the table {table}, where their rows would mix: give one "
        f"of them another TABLE, in {' or '.join(f'src/{one}/contract.py' for one in packages)}"
        for (_, table), packages in loaders.items()
        if len(packages) > 1
    ]


def refuse_shared(deployments: Iterable[Mapping[str, Any]]) -> None:
    """Raises Problem where two pipelines load one table of one target."""
    if faults := shared(deployments):
        raise Problem(". ".join(faults) + ".")


def _target(deployment: Mapping[str, Any]) -> str:
    from blueprint.withholding import target

    given = str(given_or_default(deployment, "target"))
    try:
        return target(given)
    except (PipelineError, ImportError):
        return given
