"""The texts of notices: titles and bodies with ``{field}`` in them, our own and those of
``[notify]`` titles and bodies."""

from __future__ import annotations

import re
from collections.abc import Mapping

from rollback_tui.core.notices import Occasion
from rollback_tui.core.text import printable

FIELDS: dict[str, str] = {
    "occasion": "``started``, ``gate``, ``finished``, ``alert`` or ``settled``",
    "level": "``info``, ``warning`` or ``critical``",
    "at": "when it happened, in UTC",
    "id": "the notice's own, the same when it is delivered twice",
    "run": "id of the run, as every command takes it",
    "task": "``Rollback``, ``Recovery`` or ``Reapplication``",
    "what": "the migrations: version and name of each",
    "database": "name of the database",
    "host": "its host and port",
    "environment": "``environment`` of rollback.toml",
    "where": "the three of them in one: ``shop on db1:5432, production``",
    "operator": "who began the run, on which machine, from where",
    "reason": "why, as the operator typed it",
    "trigger": "what made somebody roll back",
    "plan": "how many statements",
    "phase": "what the run was doing",
    "question": "what is asked",
    "choices": "what may be answered",
    "default": "what happens when nobody answers",
    "deadline": "until when, and how long that was from the question on",
    "answer": "what was answered, where it was by the time this was written",
    "outcome": "the outcome in words; empty while there is none",
    "summary": "what the run says of its end, or what the alert says",
    "duration": "how long the run took",
    "downtime": "how long applications were kept out",
    "loss": "data that is gone; unknown is said",
    "settled_by": "who finished an interrupted run",
    "report": "path of the report",
    "folder": "the run's folder",
    "next": "the commands that come next, one a line",
    "attach": "the command that shows the run",
    "metric": "what is past its threshold",
    "value": "its value",
    "threshold": "the threshold",
    "rule": "the rule in words: value, threshold, what of which level, what was usual",
    "usual": "what it was before the run",
    "evidence": "what stands behind it, one a line",
}
"""Every field with its meaning, in the order in which docs/notifications.md lists them. A field
that says nothing on an occasion is empty."""

_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_LIMIT = 3500
"""Characters of a body: a chat or a pager cuts, or refuses, what is much longer."""

TITLES: dict[Occasion, str] = {
    "started": "{task} started – {where}",
    "gate": "A decision is needed – {where}",
    "finished": "{outcome} – {where}",
    "settled": "Interrupted run finished: {outcome} – {where}",
    "alert": "Alert: {metric} {value} – {where}",
}

_WHO = """\
{task}: {what}
Reason: {reason}
Trigger: {trigger}
Operator: {operator}
"""

_FOOT = "Run {run}, {at}, notice {id}"

_END = f"""\
{{summary}}

{_WHO}Took: {{duration}}
Applications kept out: {{downtime}}
Data lost: {{loss}}
Finished by: {{settled_by}}
Report: {{report}}

Next:
{{next}}

{_FOOT}"""

BODIES: dict[Occasion, str] = {
    "started": f"""\
{_WHO}Plan: {{plan}}
Follow it: {{attach}}

{_FOOT}""",
    "gate": f"""\
{{question}}

Choices: {{choices}}
Deadline: {{deadline}}
If nobody answers: {{default}}
Answered: {{answer}}
Answer with: {{attach}}

{_WHO}
{_FOOT}""",
    "finished": _END,
    "settled": _END,
    "alert": f"""\
{{rule}}
Value: {{value}}, threshold: {{threshold}}
Before the run: {{usual}}
{{evidence}}

{_WHO}Outcome of the run: {{outcome}}
Look: rollback-tui monitor {{run}}
Report: {{report}}

{_FOOT}""",
}


def check(template: str, name: str) -> None:
    """Raise ValueError where the template called ``name`` holds anything but text, ``{field}``,
    ``{{`` and ``}}``: no attributes, no formats."""
    for found in _PLACEHOLDER.finditer(template):
        field, whole = found.group(1), found.group()
        if whole in ("{{", "}}"):
            continue
        if field is None:
            raise ValueError(f"{name}: write {whole * 2} for a {whole} that is no field")
        if field not in FIELDS:
            raise ValueError(
                f"{name}: there is no field {{{printable(field)[:40]}}};"
                f" the fields are {', '.join(sorted(FIELDS))}"
            )


def title(template: str, values: Mapping[str, str]) -> str:
    """Return the title: one line."""
    return " · ".join(line.strip() for line in _filled(template, values).split("\n") if line)


def body(template: str, values: Mapping[str, str]) -> str:
    """Return the text. A line is left out where all its fields are empty, and so is an empty line
    after another; what is too long for a chat is cut, and says so."""
    lines: list[str] = []
    for line in template.replace("\r\n", "\n").split("\n"):
        names = [name for name in _PLACEHOLDER.findall(line) if name]
        if names and not any(values.get(name) for name in names):
            continue
        if line.strip() or (lines and lines[-1].strip()):
            lines.append(_filled(line, values))
    text = "\n".join(lines).strip()
    if len(text) <= _LIMIT:
        return text
    return text[:_LIMIT].rsplit("\n", 1)[0] + "\n… (cut: the report has all of it)"


def _filled(template: str, values: Mapping[str, str]) -> str:
    def value(found: re.Match[str]) -> str:
        name = found.group(1)
        # Also the template's own text came from a file.
        return values.get(name, "") if name is not None else found.group()[0]

    parts: list[str] = []
    end = 0
    for found in _PLACEHOLDER.finditer(template):
        parts += [printable(template[end : found.start()], keep_lines=True), value(found)]
        end = found.end()
    return "".join([*parts, printable(template[end:], keep_lines=True)])
