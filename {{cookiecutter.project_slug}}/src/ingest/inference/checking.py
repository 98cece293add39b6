"""The last look at a contract before it is a file: nothing in it but what is written here.

The contract is made of a source's text, which may be hostile, and is then imported. What the
writer let slip, if ever, is refused here by its syntax tree.
"""

from __future__ import annotations

import ast

from ingest.errors import ContractError
from ingest.inference.names import MODULES, USED

_NODES = (
    ast.Module,
    ast.ImportFrom,
    ast.alias,
    ast.ClassDef,
    ast.Assign,
    ast.AnnAssign,
    ast.Expr,
    ast.Constant,
    ast.Name,
    ast.Load,
    ast.Store,
    ast.Subscript,
    ast.Tuple,
    ast.BinOp,
    ast.BitOr,
    ast.Call,
    ast.keyword,
)
_CALLS = {
    "Field": {"default", "alias", "serialization_alias", "max_digits", "decimal_places"},
    "Contract": {"record", "key", "table"},
}


def check(text: str, names: set[str]) -> None:
    """Raise ContractError where the code is not as it is written here; `names` are its types."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError) as error:
        raise _refused(f"it is no Python: {error}") from None
    for node in ast.walk(tree):
        if not isinstance(node, _NODES):
            raise _refused(f"it holds a {type(node).__name__}")
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            _among(node.id, USED | names, "name")
        elif isinstance(node, ast.Call):
            _check_call(node)
        elif isinstance(node, ast.ImportFrom):
            if node.module not in MODULES or node.level:
                raise _refused(f"it imports {node.module!r}")
            for one in node.names:
                _among(one.name, set(MODULES[node.module]), "import")
        elif isinstance(node, ast.ClassDef):
            _check_class(node)
        elif isinstance(node, ast.Expr) and not isinstance(node.value, ast.Constant):
            raise _refused(f"it holds a {type(node.value).__name__} on its own")


def _check_call(node: ast.Call) -> None:
    if not isinstance(node.func, ast.Name) or node.args:
        raise _refused("it holds a call")
    _among(node.func.id, set(_CALLS), "call")
    for keyword in node.keywords:
        _among(keyword.arg or "**", _CALLS[node.func.id], "argument")
        if not isinstance(keyword.value, ast.Constant | ast.Name):
            raise _refused(f"it computes the argument {keyword.arg}")


def _check_class(node: ast.ClassDef) -> None:
    bases = [base.id if isinstance(base, ast.Name) else "" for base in node.bases]
    if bases != ["BaseModel"] or node.keywords or node.decorator_list:
        raise _refused(f"the class {node.name} is no plain model")


def _among(name: str, known: set[str] | frozenset[str], what: str) -> None:
    if name not in known:
        raise _refused(f"it holds the {what} {name!r}")


def _refused(why: str) -> ContractError:
    return ContractError(
        f"The contract that was inferred is not written, because {why}. The source holds a text "
        "that the inference does not handle soundly: write contract.py by hand, "
        "and report this."
    )
