"""What checks and tells: the status, the validations, a local run into a scratch target.

Prefect is imported inside a command, never above it: it reads its settings once, at import,
and it takes seconds.
"""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import Parameter

from blueprint import show
from blueprint.commands.runs import _parameters as named_values
from blueprint.project import enter

Json = Annotated[bool, Parameter(name="--json", negative=())]


def status(*, as_json: Json = False) -> None:
    """What is there, what is wrong and the command that mends it, and what to do next.

    The exit code is 0 if all is in order, 1 if something is wrong, and 2 if nothing is and a
    phase has yet to pass.

    Parameters
    ----------
    as_json
        Print it as JSON: ok, wrong, notes, phases and next, then every fact.
    """
    from blueprint.checking import gathering, judging, showing

    facts = gathering.gather()
    verdict = judging.judge(facts)
    if as_json:
        show.data(showing.as_json(facts, verdict))
    else:
        showing.print_report(facts, verdict)
    sys.exit(verdict.exit_code)


def validate_setup(*, as_json: Json = False) -> None:
    """Check this project's files, settings, manifest, contract, transform, flow and port.

    All faults are told at once, each with what mends it. The exit code is 1 if there are any.

    Parameters
    ----------
    as_json
        Print it as JSON.
    """
    from blueprint.checking import validating

    sys.exit(not validating.report(as_json, setup=validating.setup()))


def validate_install(*, server: bool = False, as_json: Json = False) -> None:
    """Check the Python, every installed package against the locks, Prefect, and the API.

    The exit code is 1 if there are faults. A server of this machine that is yet to be started
    is none, unless --server is given.

    Parameters
    ----------
    server
        That the server is yet to be started is a fault too.
    as_json
        Print it as JSON.
    """
    from blueprint.checking import validating

    sys.exit(not validating.report(as_json, install=validating.installation(server)))


def validate(*, server: bool = False, as_json: Json = False) -> None:
    """Both validations: of the setup and of the installation.

    Parameters
    ----------
    server
        That the server is yet to be started is a fault too.
    as_json
        Print it as JSON.
    """
    from blueprint.checking import validating

    installed, setup = validating.installation(server), validating.setup()
    sys.exit(not validating.report(as_json, install=installed, setup=setup))


def test_local(
    *,
    param: Annotated[list[str] | None, Parameter(negative=())] = None,
    pipeline: str | None = None,
    keep: Annotated[bool, Parameter(negative=())] = False,
    as_json: Json = False,
) -> None:
    """Run the whole pipeline here, without server, worker and deployment, into a scratch target.

    All of the source is read, judged, transformed and loaded; the warehouse and the quarantine
    folder are not touched, and the scratch target is removed at the end. The exit code is 0 if
    the run completed and loaded a row. `blueprint run --local` does the same into the target
    that prefect.yaml gives.

    Parameters
    ----------
    param
        A parameter as name=value, as often as there are parameters to set.
    pipeline
        The name of a deployment in prefect.yaml, or of a pipeline; else the first there.
    keep
        Leave the scratch target there, and say where.
    as_json
        Print what the run did as JSON; its logs go to the error stream.
    """
    enter()
    given = named_values(param or [])
    from blueprint import trying

    sys.exit(not trying.test_local(given, keep, as_json, pipeline))
