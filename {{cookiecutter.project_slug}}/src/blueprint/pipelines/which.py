"""Which pipeline a deployment runs: a package in src/, which its entrypoint names.

`orders.flow:orders` is a flow of the package `orders`, whose contract stands in
`src/orders/contract.py`. Several deployments may run one pipeline.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from blueprint.project import Problem, broken_code
from runtime.project import ROOT

FIRST = "data_pipeline"
"""The pipeline that the project was stamped with."""
PARTS = ("flow", "config", "contract", "extract", "transform", "load")
"""The modules of a pipeline."""


NOTES = ".added.json"
"""The file in an added pipeline's package that says how it was added."""


def named_package(deployment: Mapping[str, Any]) -> str:
    """The package that a deployment's entrypoint names; of one that names no package, the first."""
    module = str(deployment.get("entrypoint", "")).partition(":")[0]
    package, dot, _ = module.partition(".")
    return package if dot else FIRST


def package_of(deployment: Mapping[str, Any]) -> str:
    """The pipeline that a deployment runs: its package, where that is one.

    A package without a contract.py is none, as that of `reports.nightly:nightly`, a flow that
    somebody has made of the first pipeline's: it is looked after as the first one is.
    """
    package = named_package(deployment)
    folder = ROOT / "src" / package
    other = folder.is_dir() and not any((folder / name).exists() for name in ("contract.py", NOTES))
    return FIRST if other else package


def packages_of(deployments: Iterable[Mapping[str, Any]]) -> list[str]:
    """The pipelines that the deployments run, each once."""
    return list(dict.fromkeys(map(package_of, deployments)))


def part(package: str, name: str) -> Any:
    """One of a pipeline's modules, as `contract`.

    Raises:
        Problem: it cannot be imported, or something that it imports; its cause is the reason.
    """
    try:
        return import_module(f"{package}.{name}")
    except Exception as error:  # the user's code may raise anything when it is imported
        what = f"src/{package}/{name}.py cannot be imported"
        raise broken_code(what, error) from error


def path_of(package: str, name: str) -> Path:
    """The file of one of a pipeline's modules."""
    return ROOT / "src" / package / f"{name}.py"


def given_or_default(deployment: Mapping[str, Any], parameter: str) -> Any:
    """What a deployment gives for a parameter, else the default in its pipeline's config.py.

    None where there is neither, or config.py cannot be imported.
    """
    if given := (deployment.get("parameters") or {}).get(parameter):
        return given
    try:
        config = part(package_of(deployment), "config")
    except Problem:  # validate-setup says it
        return None
    return getattr(config, f"DEFAULT_{parameter.upper()}", None)
