"""``docs/configuration.md``, made from the settings themselves so that it cannot say otherwise.

Written with ``python -m rollback_tui.cli.configuration_page > docs/configuration.md``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

import msgspec
from msgspec import inspect

from rollback_tui.config import FILE_NAME, Hook, Settings

_EXAMPLE = """\
environment = "production"

[connection]
dsn = "postgresql://app_owner@db.internal/app"   # the password is in ~/.pgpass

[migrations]
directory = "db/migrations"
framework = "dbmate"

[checkpoint]
directory = "/var/backups/rollback_checkpoints"
jobs = 4
keep = 10
keep_days = 30
copy = { command = ["/usr/local/bin/copy-off-host"], timeout_seconds = 1800 }

[pgbackrest]
stanza = "main"

[run]
drain_seconds = 30
gate = "ask"

[door]
allow_users = ["monitoring"]

[maintenance]
on = { command = ["/usr/local/bin/app", "maintenance", "on"] }
off = { command = ["/usr/local/bin/app", "maintenance", "off"], timeout_seconds = 30 }

[[caches.clear]]
command = ["/usr/local/bin/app", "cache", "clear"]

[notify.started]
url = "https://chat.internal/hooks/oncall"

[health]
url = "https://app.internal/health"
expected_status = [200, 204]

[[health.also]]
label = "checkout"
url = "https://checkout.internal/ready"
expected_json = { status = "ok" }
headers_env = { Authorization = "CHECKOUT_TOKEN" }

[verify]
budget_seconds = 30
accept = ["type public.mood"]

[recovery]
services = ["app.service", "app-worker.service"]
log_files = ["/var/log/app/*.log"]
"""

_HEAD = f"""\
# Configuration

`{FILE_NAME}`, in the directory where you type the command, or any file named with `--config`.
Without a file every key has its default. A complete example:

```toml
{_EXAMPLE}```

- **Unknown keys are refused**, with the line. So is a value of the wrong type or outside its range.
  The command then ends with exit code 2 before it connects.
- **Relative paths** start in the directory of the file named with `--config`; without `--config`,
  in the current directory. A relative `--migrations DIR` starts in the current directory.
- **Which database:** `--dsn`, else `DATABASE_URL`, else `connection.dsn`, else libpq's own `PG*`
  variables, service file and defaults. Keep passwords in `~/.pgpass`.
- **Which migrations:** `--migrations` and `--framework` win over the file.
- **When it is read:** once, when the command starts. A run keeps the settings that it began with.
"""

_HOOKS = """\
A hook is something of yours that is called. It has **one** of `command`, `url`, `sql` and
`flag_file`; a hook with none of them is not called.

- `command` starts in the project's directory, without a shell. It succeeds with exit code 0. Of our
  environment it gets `PATH`, `HOME`, `LANG`, `LC_ALL`, `TZ`, `USER` and `TMPDIR`, and the facts of
  the run: `ROLLBACK_RUN`, `ROLLBACK_DATABASE`, `ROLLBACK_ENVIRONMENT`, `ROLLBACK_FRAMEWORK`,
  `ROLLBACK_VERSIONS`, `ROLLBACK_GOAL`, `ROLLBACK_OPERATOR`, `ROLLBACK_REASON`, `ROLLBACK_FOLDER`,
  `ROLLBACK_STARTED`. It gets no `PG*` variable and no password. At its deadline the whole process
  group is ended; what it left running in that group is ended after a normal end, too.
- `url` is POSTed `{"event": NAME, "run": …, "database": …, …}` with the same facts in lower case.
  It succeeds with a 2xx answer. Redirects are not followed, proxies of the environment are not
  used.
- `sql` is sent in a session of its own; for `caches.clear`, which is called behind the closed door,
  in the run's session, after COMMIT.
- `flag_file` is created, and for `maintenance.off` removed.

| hook | called | when it fails |
|---|---|---|
| `checkpoint.copy` | for each finished checkpoint, in a run and by `checkpoint create`; its \
`timeout_seconds` is 3600 by default | said in the report; the run goes on, unless `copy_required` |
| `notify.started` | once preflight and checkpoint are done | noted in the report; the run goes on |
| `maintenance.on` | next | the run is refused; `maintenance.off` is called |
| `caches.clear` | after COMMIT, before the door opens | the next one is called; `needs_operator` |
| `maintenance.off` | at the end of every path, when `maintenance.on` was called; 3 attempts | an \
alarm with what to do; the run ends as `needs_operator` |

`impact.command` is no hook: it prints one JSON object and nothing else (its error output counts as
output), and gets `RUN_STARTED` and `RUN_FINISHED` beside the variables above.
"""

_NAMES: dict[type[inspect.Type], str] = {
    inspect.StrType: "text",
    inspect.IntType: "whole number",
    inspect.FloatType: "number",
    inspect.BoolType: "true or false",
}


def page() -> str:
    """Return the whole page, as Markdown."""
    info = inspect.type_info(Settings)
    if not isinstance(info, inspect.StructType):  # pragma: no cover - Settings is a struct
        raise TypeError("Settings is not a struct")
    parts = [_HEAD, "## Keys outside of any table", _keys(_plain_fields(info))]
    for field in info.fields:
        table = _bare(field.type)
        if isinstance(table, inspect.StructType):
            parts += [f"## [{field.encode_name}]", _said(table.cls.__doc__ or "")]
            parts.append(_keys(table.fields))
            parts += _tables_of(field.encode_name, table)
    hook = inspect.type_info(Hook)
    if isinstance(hook, inspect.StructType):
        parts += ["## Hooks", _HOOKS, _keys(hook.fields)]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _tables_of(name: str, table: inspect.StructType) -> list[str]:
    """The tables below ``name``; in double brackets those that may be given several times."""
    parts: list[str] = []
    for field in table.fields:
        bare = _bare(field.type)
        item = _bare(bare.item_type) if isinstance(bare, inspect.VarTupleType) else bare
        if isinstance(item, inspect.StructType) and not _is_hook(item):
            path = f"{name}.{field.encode_name}"
            parts.append(f"### [{path}]" if item is bare else f"### [[{path}]]")
            parts += [_said(item.cls.__doc__ or ""), _keys(item.fields)]
    return parts


def _plain_fields(info: inspect.StructType) -> tuple[inspect.Field, ...]:
    return tuple(f for f in info.fields if not isinstance(_bare(f.type), inspect.StructType))


def _keys(fields: tuple[inspect.Field, ...]) -> str:
    rows = ["| key | value | default | |", "|---|---|---|---|"]
    for field in fields:
        value = ", ".join([_type(field.type), *_limits(_bare(field.type))])
        rows.append(
            f"| `{field.encode_name}` | {value} | {_default(field)} | {_description(field.type)} |"
        )
    return "\n".join(rows)


def _bare(of: inspect.Type) -> inspect.Type:
    """The type without its description."""
    while isinstance(of, inspect.Metadata):
        of = of.type
    return of


def _description(of: inspect.Type) -> str:
    schema = (of.extra_json_schema or {}) if isinstance(of, inspect.Metadata) else {}
    return _said(str(schema.get("description", ""))).replace("|", "\\|")


def _said(text: str) -> str:
    """A docstring's markup as Markdown, on one line."""
    return " ".join(re.sub(r"``([^`]*)``", r"`\1`", text).split())


def _type(of: inspect.Type) -> str:
    bare = _bare(of)
    if isinstance(bare, inspect.StructType):
        return "[hook](#hooks)" if _is_hook(bare) else "table, see below"
    if isinstance(bare, inspect.VarTupleType):
        item = _bare(bare.item_type)
        if isinstance(item, inspect.StructType) and not _is_hook(item):
            return "list of tables, see below"
        return "list of [hooks](#hooks)" if _is_hook(item) else f"list of {_type(item)}s"
    if isinstance(bare, inspect.DictType):
        return f"table of {_type(bare.value_type)}"
    if isinstance(bare, inspect.UnionType):
        return " or ".join(_type(one) for one in bare.types)
    if isinstance(bare, inspect.LiteralType):
        return " or ".join(f'`"{value}"`' for value in bare.values)
    return _NAMES[type(bare)]


def _is_hook(of: inspect.Type) -> bool:
    return isinstance(of, inspect.StructType) and issubclass(of.cls, Hook)


def _limits(of: inspect.Type) -> Iterator[str]:
    if not isinstance(of, inspect.IntType | inspect.FloatType):
        return
    if of.ge is not None and of.le is not None:
        yield f"{of.ge:g} to {of.le:g}"
    else:
        for sign, limit in (("≥", of.ge), (">", of.gt), ("≤", of.le), ("<", of.lt)):
            if limit is not None:
                yield f"{sign} {limit:g}"


def _default(field: inspect.Field) -> str:
    value = field.default
    if field.required:
        return "none, it must be given"
    if value is msgspec.NODEFAULT:
        value = field.default_factory()
    if isinstance(value, Hook):
        return "none"
    if isinstance(value, msgspec.Struct):
        return "the defaults below"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, int | float):
        return f"`{value:g}`"
    return f"`{msgspec.json.encode(value).decode()}`"


if __name__ == "__main__":
    sys.stdout.write(page())
