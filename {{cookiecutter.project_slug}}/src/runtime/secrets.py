"""Secrets by reference: what stands in the code or in prefect.yaml is a name, never a value."""

import os

from prefect.blocks.system import Secret
from pydantic import SecretStr

from ingest.errors import PipelineError


class SecretError(PipelineError):
    """A secret that is referred to cannot be had."""


def secret(reference: str) -> SecretStr:
    """The secret that `reference` names: "env:NAME" or "secret:block-name".

    The first is an environment variable of the process that runs the flow, the second a
    Secret block of Prefect's. Call it where the secret is used, within a run: a value that
    is read when a module is imported stays what it was. Raises SecretError.
    """
    kind, mark, name = reference.partition(":")
    if kind == "env" and name:
        value = os.environ.get(name, "")
        advice = f"Set it where the flow runs: in the worker's environment, as in export {name}=..."
    elif kind == "secret" and name:
        value = _block(name)
        advice = (
            "Make it in Prefect's UI (Blocks, +, Secret), or in Python: from "
            f"prefect.blocks.system import Secret; Secret(value=...).save({name!r})."
        )
    else:
        # Not quoted: it may be the secret itself.
        raise SecretError(
            "A secret is referred to as env:NAME (an environment variable) or secret:block-name "
            "(a Secret block of Prefect's); what is written here is neither."
        )
    if not value:
        what = "environment variable" if kind == "env" else "Secret block"
        raise SecretError(f"The {what} {name} does not exist or is empty. {advice}")
    return SecretStr(value)


def _block(name: str) -> str:
    try:
        # Its typing lacks the argument that has it wait, also where an event loop runs.
        block = Secret.load(name, _sync=True)  # pyrefly: ignore[unexpected-keyword]
    except ValueError:
        return ""  # there is none of this name
    assert isinstance(block, Secret)
    # Not its get(): that reads the text as JSON and makes a number of a token of digits.
    value = block.value.get_secret_value()
    if isinstance(value, str):
        return value
    raise SecretError(
        f"The Secret block {name} holds {type(value).__name__}, not text. Save the text alone."
    )
