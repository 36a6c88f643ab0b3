"""The chain at a glance: what each revision creates and adds, and what is wrong with it.

Read from the files without running them, so that a broken chain can be looked at, too.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ebhook.authoring.ticket import ticket_of
from ebhook.chain.checksums import ChecksumDifference, LineChange
from ebhook.chain.graph import Chain, heads_of, in_order
from ebhook.chain.revision import Revision
from ebhook.errors import ChainBroken
from ebhook.next_command import Next, ebhook, then
from ebhook.settings import Settings
from ebhook.sql.statement import plain

_WRITE = ebhook("chain", words=["--write"])
_WORDS = {
    "create_table": "creates {0}",
    "add_column": "adds {0}.{column}",
    "create_index": "indexes {1}",
    "create_unique_constraint": "unique on {1}",
    "create_foreign_key": "foreign key {1} → {2}",
    "create_check_constraint": "check on {1}",
    "drop_table": "drops {0}",
    "drop_column": "drops {0}.{1}",
    "drop_index": "drops index {0}",
    "drop_constraint": "drops constraint {0}",
    "alter_column": "alters {0}.{1}",
    "rename_table": "renames {0}",
    "bulk_insert": "inserts rows",
}
_SQL = re.compile(
    r"(CREATE|ALTER|DROP|RENAME|TRUNCATE|INSERT|UPDATE|DELETE|REPLACE)\b"
    r"(?:\s+(?:IGNORE|INTO|FROM|TABLE|UNIQUE|FULLTEXT|INDEX|VIEW|TRIGGER|IF|NOT|EXISTS|OR|REPLACE))*"
    r"\s+`?([\w$]+)`?",
    re.I,
)
_VERBS = {
    "CREATE": "creates", "ALTER": "alters", "DROP": "drops", "RENAME": "renames",
    "TRUNCATE": "empties", "INSERT": "inserts into", "UPDATE": "updates", "DELETE": "deletes from",
    "REPLACE": "inserts into",
}  # fmt: skip
_PROBLEMS = {
    LineChange.UNLISTED: "not in chain.sum",
    LineChange.MOVED: "re-parented or renamed since chain.sum was written",
    LineChange.EDITED: "edited since chain.sum was written",
}


@dataclass(frozen=True)
class Summary:
    """One revision, in words. `findings` are lint's, as ids of rules."""

    revision: Revision
    ticket: str | None
    does: tuple[str, ...]
    problems: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    is_head: bool = False

    @property
    def day(self) -> str:
        return (self.revision.date or "")[:10]

    @property
    def title(self) -> str:
        """The message without its ticket."""
        return self.revision.message.removeprefix(self.ticket or "").lstrip(" :-")


@dataclass(frozen=True)
class Overview:
    """The whole chain; `problems` belong to no one revision. `broken`: a boot would refuse it."""

    revisions: tuple[Summary, ...]
    heads: tuple[str, ...]
    problems: tuple[str, ...] = ()
    next: Next | None = None
    broken: bool = False


def overview(
    revisions: Mapping[str, Revision],
    settings: Settings,
    differences: Sequence[ChecksumDifference] = (),
    findings: Mapping[str, Sequence[str]] = {},
) -> Overview:
    """What the chain is. `revisions` are in the chain's order; it may have several heads.

    Args:
        differences: to chain.sum.
        findings: of lint, as ids of rules, by revision.
    """
    heads = heads_of(revisions)
    marks: dict[str, list[str]] = {}
    for one in differences:
        if one.change in _PROBLEMS:
            marks.setdefault(one.id, []).append(_PROBLEMS[one.change])
    if len(heads) > 1:
        for id in heads:
            marks.setdefault(id, []).append(f"one of {len(heads)} heads")
    broken = False
    reached = Chain(_without_missing(revisions)).lineage(heads)
    for revision in revisions.values():
        if revision.id not in reached:
            broken = True
            marks.setdefault(revision.id, []).append("goes in a circle")
        missing = [parent for parent in revision.parents if parent not in revisions]
        if missing:
            broken = True
            marks.setdefault(revision.id, []).append(
                f"its parent {', '.join(missing)} is in no file"
            )
    problems = [
        f"{one.file} ({one.id}) is in chain.sum, but there is no such file"
        for one in differences
        if one.change is LineChange.ABSENT
    ]
    summaries = []
    for revision in revisions.values():
        ticket = ticket_of(revision.message, settings)
        if ticket is None:
            marks.setdefault(revision.id, []).append("no ticket")
        summaries.append(
            Summary(
                revision,
                ticket,
                tuple(what_it_does(revision.path)),
                tuple(marks.get(revision.id, ())),
                tuple(findings.get(revision.id, ())),
                revision.id in heads,
            )
        )
    next = None
    if broken:
        next = then("Mend a down_revision, or add the file that is missing; then: ", _WRITE)
    elif len(heads) > 1:
        newest = max(heads, key=lambda id: revisions[id].date or "")
        first = Chain(revisions).first_of_branch(newest)
        merge = ebhook("merge", words=["-m", "JMS-1234 merge heads"])
        next = then("Two branches meet: ", ebhook("relink", words=[first]), ", or ", merge)
    elif differences:
        next = then("If the files are right: ", _WRITE)
    stale = any(one.change is not LineChange.EDITED for one in differences)
    broken = broken or stale or len(heads) > 1
    return Overview(tuple(summaries), heads, tuple(problems), next, broken)


def in_any_order(revisions: dict[str, Revision]) -> dict[str, Revision]:
    """Parents before children as far as that is possible: a broken chain is to be looked at."""
    try:
        order = list(in_order(_without_missing(revisions)))
    except ChainBroken:  # it goes in a circle
        order = sorted(revisions, key=lambda id: (revisions[id].date or "", id))
    return {id: revisions[id] for id in order}


def _without_missing(revisions: Mapping[str, Revision]) -> dict[str, Revision]:
    """The revisions as if parents without a file were not named."""
    return {
        id: replace(one, parents=tuple(parent for parent in one.parents if parent in revisions))
        for id, one in revisions.items()
    }


def what_it_does(path: Path) -> Iterator[str]:
    """``creates cases``, ``adds users.role``: the calls and the SQL that `upgrade` has in plain sight."""
    module = ast.parse(path.read_bytes())
    constants = dict(_constants(module))
    for function in module.body:
        if isinstance(function, ast.FunctionDef) and function.name == "upgrade":
            found = list(_calls(function, constants))
            yield from dict.fromkeys(found)
            if not found and not _is_empty(function):
                yield "runs code"


def _calls(function: ast.FunctionDef, constants: Mapping[str, str]) -> Iterator[str]:
    batches: dict[str, str] = {}  # the name of a batch → its table
    for node in _in_source_order(function):
        if isinstance(node, ast.With):
            for item in node.items:
                table = _batch(item.context_expr, constants)
                if table and isinstance(item.optional_vars, ast.Name):
                    batches[item.optional_vars.id] = table
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        owner = node.func.value
        table = batches.get(owner.id) if isinstance(owner, ast.Name) else None
        text = _told(node, table, constants)
        if text:
            yield text


def _told(call: ast.Call, table: str | None, constants: Mapping[str, str]) -> str | None:
    assert isinstance(call.func, ast.Attribute)
    verb = call.func.attr
    if verb == "execute":
        return _sql(call, constants)
    template = _WORDS.get(verb)
    if template is None:
        return None
    texts = [_text(argument, constants) for argument in call.args]
    if table is not None:
        texts = _with_table(verb, texts, table)
    named = [one for one in call.args if isinstance(one, ast.Call)]
    column = _text(named[0].args[0], constants) if named and named[0].args else None
    return template.format(
        *[text or "…" for text in [*texts, None, None, None]], column=column or "…"
    )


def _with_table(verb: str, texts: list[str | None], table: str) -> list[str | None]:
    """A batch's call leaves the table out; here it comes back to its place."""
    after_name = verb.startswith("create_")
    return [*texts[:1], table, *texts[1:]] if after_name else [table, *texts]


def _batch(node: ast.expr, constants: Mapping[str, str]) -> str | None:
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "batch_alter_table"
        and node.args
    ):
        return _text(node.args[0], constants) or "…"
    return None


def _sql(call: ast.Call, constants: Mapping[str, str]) -> str | None:
    argument = call.args[0] if call.args else None
    if isinstance(argument, ast.Call) and argument.args:  # text("…")
        argument = argument.args[0]
    text = _text(argument, constants) if argument is not None else None
    if text is None:
        return "runs SQL"
    found = _SQL.match(plain(text))
    return f"{_VERBS[found[1].upper()]} {found[2]}" if found else "runs SQL"


def _text(node: ast.expr, constants: Mapping[str, str]) -> str | None:
    """What a text in the source is, as far as that is plain to see."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.Name):
        return constants.get(node.id)
    if isinstance(node, ast.Call) and node.args:  # op.f("…")
        return _text(node.args[0], constants) if _name(node) in ("f", "text", "Column") else None
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values
        )
    return None


def _name(call: ast.Call) -> str:
    return str(getattr(call.func, "attr", getattr(call.func, "id", "")))


def _constants(module: ast.Module) -> Iterator[tuple[str, str]]:
    for statement in module.body:
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant):
            for target in statement.targets:
                if isinstance(target, ast.Name) and isinstance(statement.value.value, str):
                    yield target.id, statement.value.value


def _in_source_order(function: ast.FunctionDef) -> Iterable[ast.AST]:
    nodes = [node for node in ast.walk(function) if hasattr(node, "lineno")]
    return sorted(nodes, key=lambda node: (node.lineno, node.col_offset))  # type: ignore[attr-defined]


def _is_empty(function: ast.FunctionDef) -> bool:
    return all(
        isinstance(one, ast.Pass)
        or (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))
        for one in function.body
    )
