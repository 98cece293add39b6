"""A second pipeline: its part of prefect.yaml, its name, and its code as it was copied."""

from __future__ import annotations

import pytest
import yaml

from blueprint import manifest
from blueprint.pipelines import copies, editing, naming
from blueprint.pipelines.which import package_of
from blueprint.project import Problem

NEW = {"name": "invoices", "entrypoint": "invoices.flow:invoices", "parameters": {"n": "it's 1"}}
MANIFESTS = {
    "at the end": "# mine\nname: x\ndeployments:\n  - name: a  # the first\n    tags: [b]\n",
    "a comment at the end": "deployments:\n  - name: a\n    n: 1\n    # n: 2\n\n# More below.\n",
    "not the last key": "deployments:\n- name: a\n  # b: 1\n\n# Nothing to pull.\npull: []\n",
    "no end of line": "deployments:\n  - name: a\n    schedules:\n      - slug: b",
    "of Windows": "deployments:\r\n  - name: a\r\n    n: 1\r\n\r\n",
    "wide dashes": "deployments:\n  -   name: a\n      n: 'it''s'\n",
    "a text block": "deployments:\n  - name: a\n    description: |\n      One.\n\n      Two.\n\n\n",
    "a dash alone": "deployments:\n  -\n    # mine\n    name: a\n    empty:\n",
    "two": "deployments:\n  - name: a\n\n  # The second.\n  - name: b\n    env: {x: 1}\n",
}


@pytest.mark.parametrize("text", MANIFESTS.values(), ids=MANIFESTS)
def test_a_deployment_is_put_in_and_taken_out_and_no_other_byte_changes(text: str) -> None:
    more = editing.added(text, NEW)
    assert yaml.safe_load(more)["deployments"][-1] == NEW
    assert len(more) > len(text) and ("\r\n" in more) == ("\r\n" in text)
    kept = [line for line in more.splitlines() if line in text.splitlines()]
    assert [line for line in text.splitlines() if line] == [line for line in kept if line]
    twice = editing.added(more, {**NEW, "name": "other"})
    assert editing.removed(editing.removed(twice, "invoices"), "other") == text
    assert editing.removed(editing.removed(twice, "other"), "invoices") == text


@pytest.mark.parametrize(
    "text",
    ["deployments: [{name: a}]\n", "x: &x {name: a}\ndeployments:\n  - *x\n"],
    ids=["in brackets", "an alias"],
)
def test_a_manifest_that_cannot_be_edited_soundly_is_left_to_a_person(text: str) -> None:
    with pytest.raises(Problem, match="at the end of its deployments:\n\n- name: invoices\n"):
        editing.added(text, NEW)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("web-orders", "becomes a Python package.*: web_orders, perhaps"),
        ("Orders", "orders, perhaps"),
        ("1st", "as web_orders"),
        ("../x", "becomes a Python package"),
        ("a" * 31, "30 at most"),
        ("class", "Python itself has a word"),
        ("match", "Python itself has a word"),
        ("print", "Python itself has a word"),
        ("extract", "the pipeline's own code calls something else so"),
        ("json", "Python has a module"),
        ("cyclopts", "a package that is installed"),
        ("obstore", "a package that is installed, or may be"),
        ("data_pipeline", "is a room of this project"),
        ("runtime", "is a room of this project"),
        ("conftest", "something else of that name"),
    ],
)
def test_a_name_that_means_something_else_is_refused(name: str, said: str) -> None:
    with pytest.raises(Problem, match=said):
        naming.check(name, [])


def test_the_deployments_name_the_pipelines() -> None:
    assert package_of({"entrypoint": "orders.flow:orders"}) == "orders"
    assert package_of({"entrypoint": "orders.nightly.flow:f"}) == "orders"
    assert package_of({"entrypoint": "flow:f"}) == package_of({}) == "data_pipeline"
    first = {"name": "production-etl", "entrypoint": "data_pipeline.flow:data_pipeline"}
    nightly = {"name": "nightly", "entrypoint": "orders.flow:orders"}
    plan = manifest.Manifest([first, nightly])
    assert plan.chosen(None) is plan.chosen("production-etl") is first
    assert plan.chosen("nightly") is plan.chosen("orders") is nightly
    with pytest.raises(Problem, match="no deployment 'x'. It has: production-etl, nightly"):
        plan.chosen("x")


def test_what_was_added_and_not_edited_is_known_as_such() -> None:
    made = copies.code("orders", "x-orders", "orders_2")
    for name, text in made.items():
        assert copies.is_untouched(name, text, "orders")
        assert not copies.is_untouched(name, text + "# mine\n", "orders")
    assert copies.is_shipped("contract", made["contract"], "orders")
    assert copies.is_untouched("transform", copies.PASS_THROUGH, "orders")
