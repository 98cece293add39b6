"""Where it is told that a run has failed: a setting that names a place, never a secret.

`notify` in pyproject.toml, [tool.blueprint]: "" (Prefect's UI and the logs alone), "env:NAME" (an
environment variable, or a line in .env, with the address of a webhook), or "type/name" (a block of
Prefect's, such as slack-webhook/our-team). The server sends the message, so it goes out also where
the worker has died.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING
from uuid import UUID

from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import SyncPrefectClient
from prefect.events.actions import CallWebhook, SendNotification
from prefect.exceptions import ObjectNotFound
from prefect.types import SecretDict
from pydantic import SecretStr

from blueprint.project import Problem, dotenv, mark

if TYPE_CHECKING:
    from prefect.events.actions import ActionTypes

_WHERE = "notify in pyproject.toml, [tool.blueprint],"
# In Prefect's templates a value stands in two braces, which side by side would be the template's.
_OPEN, _CLOSE = "{" * 2, "}" * 2
_SENTENCE = (
    '"The run " ~ flow_run.name ~ " of " ~ deployment.name ~ " is " ~ flow_run.state.name ~ ": " '
    '~ (flow_run.state.message or "no message") ~ " " ~ (flow_run | ui_url)'
)


def own_block() -> str:
    """The name of the Webhook block that this project makes for "env:NAME"."""
    return f"blueprint-{mark()}"


def check(notify: str) -> None:
    """Raises Problem where the setting cannot be used; needs no server."""
    kind, _, name = notify.partition(":")
    if kind == "env" and name:
        if not _from_environment(name):
            raise Problem(
                f"{_WHERE} names the environment variable {name}, which is not set here. "
                "Set it, or write it into .env, or give notify another value."
            )
    elif notify and not re.fullmatch(r"[a-z0-9-]+/[a-z0-9-]+", notify):
        # Not quoted: it may be the address itself, which is a secret.
        raise Problem(
            f'{_WHERE} is none of "", "env:NAME" (the address of a webhook) and "type/name" (a '
            "block of Prefect's, such as slack-webhook/our-team). It never holds the address itself."
        )


def action(client: SyncPrefectClient, notify: str, *, dry_run: bool = False) -> ActionTypes | None:
    """What an automation does to tell of a run; None where nothing is to be told.

    Makes or mends this project's own block where the address comes from the environment; a dry
    run takes the one that is there.

    Raises:
        Problem: the setting cannot be used, or the server has no such block.
    """
    check(notify)
    if not notify:
        return None
    if notify.startswith("env:"):
        if dry_run:
            return _webhook(_own(client) or UUID(int=0))
        return _webhook(_save_own(_from_environment(notify.removeprefix("env:"))))
    kind, name = notify.split("/")
    try:
        found = client.read_block_document_by_name(name, kind).id
    except ObjectNotFound:
        raise Problem(
            f"{_WHERE} names the block {notify}, which the server does not have. Make it in "
            "Prefect's UI (Blocks, +), or give notify another value."
        ) from None
    if kind == Webhook.get_block_type_slug():
        return _webhook(found)
    return SendNotification(
        block_document_id=found,
        subject="A run failed: " + _OPEN + " flow_run.name " + _CLOSE,
        body=_OPEN + f" {_SENTENCE} " + _CLOSE,
    )


def has_own(client: SyncPrefectClient) -> bool:
    """Whether the server has a block that this project made."""
    return _own(client) is not None


def remove_own(client: SyncPrefectClient) -> None:
    """Remove the block that this project made, if there is one."""
    if found := _own(client):
        client.delete_block_document(found)


def _own(client: SyncPrefectClient) -> UUID | None:
    try:
        kind = Webhook.get_block_type_slug()
        return client.read_block_document_by_name(own_block(), kind).id
    except ObjectNotFound:
        return None


def _webhook(block: UUID) -> CallWebhook:
    # Slack, Mattermost, Teams and Google Chat all show a JSON object's `text`.
    payload = '{"text": ' + _OPEN + f" ({_SENTENCE}) | tojson " + _CLOSE + "}"
    return CallWebhook(block_document_id=block, payload=payload)


def _save_own(address: str) -> UUID:
    block = Webhook(
        url=SecretStr(address), headers=SecretDict({"Content-Type": "application/json"})
    )
    # Its typing lacks the argument that has it wait, also where an event loop runs.
    return block.save(own_block(), overwrite=True, _sync=True)  # pyrefly: ignore


def _from_environment(name: str) -> str:
    return os.environ.get(name) or dotenv().get(name) or ""
