"""A plan for people: as text for a terminal, and as Markdown for a pull request."""

from __future__ import annotations

from collections.abc import Iterator

from ebhook.chain.revision import Revision
from ebhook.next_command import ebhook
from ebhook.page.markdown import plain_markdown
from ebhook.plan.algorithms import Answer
from ebhook.plan.fleet_plan import FleetPlan, PlannedGroup
from ebhook.plan.look import TableSize
from ebhook.report.lines import count
from ebhook.report.next_commands import NextCommands
from ebhook.report.tables import problems_text, some

LONGEST = 400  # characters of a statement that people are shown; --json has it all


def plan_text(plan: FleetPlan, commands: NextCommands) -> str:
    parts = ["\n".join(_group(group, plan)) for group in plan.groups]
    parts += list(_notes(plan, commands))
    problems = problems_text(plan.problems, commands)
    if problems:
        parts.append(problems)
    parts.append(_sums(plan))
    return "\n\n".join(parts)


def _group(group: PlannedGroup, plan: FleetPlan) -> Iterator[str]:
    work = group.work
    yield f"{_who(group)}: {_way(group, plan)}"
    if work.half is not None:
        done = "applied" if work.half.kind == "upgrade" else "undone"
        yield (
            f"  {work.half.revision} is half {done}: its first "
            f"{count(work.half.position, 'statement')} are in and will be skipped"
        )
    if work.error is not None:
        yield f"  it cannot be planned: {work.error.what}"
        return
    for revision in work.revisions:
        yield f"  {revision.id}  {revision.message}"
        for answer in answers_of(group, revision):
            yield f"    {_short(answer.sent)};"
            remark = remark_of(answer)
            if remark:
                yield f"      {remark}"
    if group.sizes:
        yield f"  largest tables: {'; '.join(size_text(size) for size in group.sizes[:4])}"


def _who(group: PlannedGroup) -> str:
    names = group.work.tenants
    return some(names) if len(names) < 4 else f"{count(len(names), 'tenant')} ({some(names, 2)})"


def _way(group: PlannedGroup, plan: FleetPlan) -> str:
    work = group.work
    return (
        f"{', '.join(work.before) or 'base'} → {plan.target or 'base'}, "
        f"{count(len(work.revisions), 'revision')}, {count(len(work.pending), 'statement')}"
    )


def answers_of(group: PlannedGroup, revision: Revision) -> list[Answer]:
    """What is known of the statements of one revision."""
    pairs = zip(group.work.pending, group.answers, strict=True)
    return [answer for statement, answer in pairs if statement.revision == revision.id]


def remark_of(answer: Answer) -> str:
    """``INSTANT``, ``not known: …``, or why it fails."""
    if answer.fails is not None:
        return f"FAILS on an empty copy of this schema: {answer.fails}"
    return answer.algorithm or answer.why or ""


def size_text(size: TableSize) -> str:
    return f"{size.table} about {size.rows:,} rows, {size.mib:,.1f} MiB ({size.tenant})"


def _notes(plan: FleetPlan, commands: NextCommands) -> Iterator[str]:
    if plan.groups:
        yield order_text(plan)
    if plan.verdict is not None and not plan.verdict.passes:
        yield rules_text(plan, commands)
    if plan.obstacles:
        lines = [f"  {one.tenant}: {one.what}. {commands.text(one.next)}" for one in plan.obstacles]
        yield "\n".join(["in the way now:", *lines])
    if plan.look.unseen:
        yield f"not looked at: {'; '.join(plan.look.unseen)}"


def rules_text(plan: FleetPlan, commands: NextCommands) -> str:
    """The findings of the last gate, in one line each; `ebhook lint` has the corrected code."""
    assert plan.verdict is not None
    then = "a boot will touch nothing" if plan.refuses else "boot.rules is warn"
    lines = [
        f"  {one.rule} {one.revision} ({one.file}, line {one.line}): {one.message}"
        for one in plan.verdict.findings
    ]
    if plan.verdict.problem is not None:
        lines.append(f"  they could not be judged: {plan.verdict.problem}")
    ids = dict.fromkeys(one.revision for one in plan.verdict.findings if one.revision)
    see = commands.command(ebhook("lint", words=ids))
    return "\n".join([f"rules broken by pending revisions; {then}. See: {see}", *lines])


def order_text(plan: FleetPlan) -> str:
    waves = [f"{wave.name} ({count(len(wave.tenants), 'tenant')})" for wave in plan.waves]
    first = "; then ".join(
        [
            *([f"{some(plan.canary)} first, as the canary"] if plan.canary else []),
            *([f"wave {', '.join(waves)}"] if waves else []),
            "the rest" if plan.canary or waves else "all",
        ]
    )
    stop = f"more than {count(plan.max_failures, 'failure')} stop it"
    return f"order: {first}, {count(plan.workers, 'worker')} at a time; {stop}"


def estimate_text(plan: FleetPlan) -> str:
    if plan.seconds is not None:
        return (
            f"about {plan.seconds:.1f} s, by what the journals say these revisions took elsewhere"
        )
    return f"how long is not known: no journal has {some(plan.untimed)}"


def _sums(plan: FleetPlan) -> str:
    behind = sum(len(group.work.tenants) for group in plan.groups)
    if not plan.groups:
        return f"{count(plan.tenants, 'tenant')}: nothing to do (head {plan.head or 'none'})"
    return f"{behind} of {count(plan.tenants, 'tenant')} to upgrade; {estimate_text(plan)}. Nothing was changed."


def _short(sql: str) -> str:
    text = " ".join(sql.split()).rstrip(";")
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


# Markdown


def plan_markdown(plan: FleetPlan, commands: NextCommands) -> str:
    """For a pull request: a heading for each group, its statements in a block of SQL."""
    return "\n".join(_markdown(plan, commands)) + "\n"


def _markdown(plan: FleetPlan, commands: NextCommands) -> Iterator[str]:
    yield "## Plan of the upgrade"
    yield ""
    yield _sums(plan)
    for group in plan.groups:
        yield ""
        yield f"### {plain_markdown(_who(group))}: {_way(group, plan)}"
        yield ""
        if group.work.error is not None:
            yield f"It cannot be planned: {plain_markdown(group.work.error.what)}"
            continue
        yield from _sql(group)
        if group.sizes:
            yield ""
            yield "| table | rows, about | MiB | largest in |"
            yield "|---|---:|---:|---|"
            for size in group.sizes:
                yield (
                    f"| {plain_markdown(size.table)} | {size.rows:,} | {size.mib:,.1f} "
                    f"| {plain_markdown(size.tenant)} |"
                )
    if plan.groups:
        yield ""
        yield f"- {plain_markdown(order_text(plan))}"
    if plan.verdict is not None and not plan.verdict.passes:
        yield from (f"- {plain_markdown(line)}" for line in rules_text(plan, commands).splitlines())
    for one in plan.obstacles:
        yield f"- in the way: {plain_markdown(one.tenant)}: {plain_markdown(one.what)}"
    for what in plan.look.unseen:
        yield f"- not looked at: {plain_markdown(what)}"
    for name, error in plan.problems:
        yield f"- {plain_markdown(name)}: {plain_markdown(error.what)}"


def _sql(group: PlannedGroup) -> Iterator[str]:
    yield "```sql"
    for revision in group.work.revisions:
        yield f"-- {revision.id} {_one_line(revision.message)}"
        for answer in answers_of(group, revision):
            remark = remark_of(answer)
            yield f"{_one_line(answer.sent)};" + (f"  -- {_one_line(remark)}" if remark else "")
    yield "```"


def _one_line(text: str) -> str:
    return " ".join(text.split()).rstrip(";").replace("```", "'''")
