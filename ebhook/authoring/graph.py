"""The chain as a drawing, branches and all: Mermaid for a pull request, DOT for Graphviz."""

from __future__ import annotations

from collections.abc import Iterator

from ebhook.authoring.summary import Overview, Summary


def mermaid(overview: Overview) -> str:
    """The chain as a Mermaid flow chart, the oldest revision on top."""
    lines = ["flowchart TD"]
    names = {one.revision.id: f"r{number}" for number, one in enumerate(overview.revisions)}
    for one in overview.revisions:
        label = _label(one).replace('"', "#quot;").replace("\n", "<br/>")
        lines.append(f'  {names[one.revision.id]}["{label}"]')
    for child, parent in _edges(overview):
        lines.append(f"  {names[parent]} --> {names[child]}")
    for style, chosen in _styles(overview).items():
        if chosen:
            colour = {"head": "stroke:#2a7,stroke-width:3px", "problem": "stroke:#c22"}[style]
            lines.append(f"  classDef {style} {colour}")
            lines.append(f"  class {','.join(names[id] for id in chosen)} {style}")
    return "\n".join(lines)


def dot(overview: Overview) -> str:
    """The chain as a Graphviz digraph."""
    styles = _styles(overview)
    lines = ["digraph chain {", "  rankdir=TB", '  node [shape=box, fontname="Helvetica"]']
    for one in overview.revisions:
        id = one.revision.id
        extra = ", penwidth=3" if id in styles["head"] else ""
        extra += ", color=red" if id in styles["problem"] else ""
        lines.append(f"  {_quoted(id)} [label={_quoted(_label(one))}{extra}]")
    lines.extend(f"  {_quoted(parent)} -> {_quoted(child)}" for child, parent in _edges(overview))
    return "\n".join([*lines, "}"])


def _label(one: Summary) -> str:
    return f"{one.revision.id}\n{one.revision.message}"


def _edges(overview: Overview) -> Iterator[tuple[str, str]]:
    known = {one.revision.id for one in overview.revisions}
    for one in overview.revisions:
        for parent in one.revision.parents:
            if parent in known:
                yield one.revision.id, parent


def _styles(overview: Overview) -> dict[str, list[str]]:
    return {
        "head": [one.revision.id for one in overview.revisions if one.is_head],
        "problem": [one.revision.id for one in overview.revisions if one.problems or one.findings],
    }


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
