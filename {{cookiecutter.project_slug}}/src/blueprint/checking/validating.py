"""`blueprint validate-setup` and `validate-install`: the checks in their order, and their report."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial

from blueprint import manifest, show
from blueprint.checking import checks, install, setup_code, setup_files
from blueprint.checking.checks import Check, Outcome, Result
from blueprint.environment import COMMAND as MEND_ENVIRONMENT
from blueprint.pipelines.which import FIRST


def setup() -> list[Result]:
    """The files and the code of this project; Prefect's server is not needed."""
    return checks.run(
        [
            _check("files", setup_files.files, "git status"),
            _check("executable", setup_files.executable, "sh scripts/make_executable.sh"),
            _check("settings", setup_files.settings, setup_files.EDIT_SETTINGS),
            _check("dotenv", setup_files.dotenv, setup_files.EDIT_SETTINGS),
            _check("manifest", setup_code.lint, setup_code.EDIT_MANIFEST),
            *(one for package in manifest.packages() for one in _code(package)),
            *_tables(),
            _check("flow", setup_code.flow, setup_code.edit(FIRST, "flow")),
            _check("port", setup_code.port, setup_files.EDIT_SETTINGS),
        ]
    )


def installation(server: bool) -> list[Result]:
    """The environment and the API. server: one that is yet to be started here is a fault."""
    return checks.run(
        [
            _check("python", install.python, MEND_ENVIRONMENT),
            _check("packages", install.packages, MEND_ENVIRONMENT),
            _check("imports", install.imports, MEND_ENVIRONMENT),
            Check(
                "api",
                _first_line(install.api),
                partial(install.api, required=server),
                install.SETUP,
            ),
        ]
    )


def report(as_json: bool, **parts: list[Result]) -> bool:
    """Print the results; gives whether all is well. One part's JSON stands by itself."""
    if as_json:
        told = {name: checks.as_dict(results) for name, results in parts.items()}
        whole = next(iter(told.values()))
        if len(told) > 1:
            whole = {"ok": all(one["ok"] for one in told.values()), **told}
        show.data(json.dumps(whole, indent=2))
    else:
        for name, results in parts.items():
            checks.print_results(f"Validate {name}", results)
    return all(checks.all_ok(results) for results in parts.values())


def _code(package: str) -> list[Check]:
    """The checks of a pipeline's own code; of one that was added, with its name."""
    of = "" if package == FIRST else f" of {package}"
    return [
        Check(
            f"{name}{of}",
            _first_line(look),
            partial(look, package=package),
            setup_code.edit(package, name),
        )
        for name, look in (("contract", setup_code.contract), ("transform", setup_code.transform))
    ]


def _tables() -> list[Check]:
    """Where there are several pipelines."""
    if len(manifest.packages()) == 1:
        return []
    return [_check("tables", setup_code.tables, setup_code.EDIT_CONTRACT)]


def _check(name: str, look: Callable[[Outcome], None], mend: str) -> Check:
    return Check(name, _first_line(look), look, mend)


def _first_line(look: Callable[..., None]) -> str:
    """What a check proves is what its function says of itself."""
    return (look.__doc__ or "").strip().splitlines()[0].rstrip(".")
