"""How each framework's own program applies migrations again, for the guide by hand."""

from __future__ import annotations

from rollback_tui.core.model import Plan
from rollback_tui.run.by_hand.pasted import word

_COMMANDS = {
    "alembic": "alembic upgrade heads",
    "atlas": 'atlas migrate apply {many} --url "$DATABASE_URL" --dir file://{directory}',
    "db-migrate": "npx db-migrate up --count {many} --migrations-dir {directory}",
    "dbmate": 'dbmate --url "$DATABASE_URL" --migrations-dir {directory} --no-dump-schema up',
    "diesel": 'diesel migration run --database-url "$DATABASE_URL" --migration-dir {directory}',
    "django": "python manage.py migrate",
    "flyway": "flyway migrate",
    "golang-migrate": 'migrate -path {directory} -database "$DATABASE_URL" up {many}',
    "goose": 'goose -dir {directory} postgres "$DATABASE_URL" up',
    "graphile-migrate": "npx graphile-migrate migrate",
    "knex": "npx knex migrate:latest",
    "liquibase": "liquibase update",
    "node-pg-migrate": "npx node-pg-migrate up {many} --migrations-dir {directory}",
    "pgroll": 'pgroll migrate {directory} --postgres-url "$DATABASE_URL" --complete',
    "postgrator": "npx postgrator",
    "prisma": "npx prisma migrate deploy",
    "rails": "bin/rails db:migrate",
    "refinery": "refinery migrate -p {directory}",
    "sequelize": "npx sequelize-cli db:migrate",
    "shmig": "shmig migrate",
    "sqitch": "sqitch deploy",
    "sql-migrate": "sql-migrate up -limit={many}",
    "sqlx": 'sqlx migrate run --database-url "$DATABASE_URL" --source {directory}',
    "tern": "tern migrate --migrations {directory}",
    "typeorm": "npx typeorm migration:run -d data-source.js",
    "yoyo": 'yoyo apply --database "$DATABASE_URL" {directory}',
}


def command(plan: Plan) -> str:
    """Return the call that applies again what ``plan`` takes back, to be pasted into a shell; where
    the framework is not known, a comment that says what to look for."""
    known = _COMMANDS.get(plan.framework)
    many = len(plan.migrations)
    if known is None:
        return f"# {plan.framework}: its own command for {many} migrations up"
    return known.format(directory=word(plan.directory), many=many)


def names_its_target(plan: Plan) -> bool:
    """Whether :func:`command` says which database it is; otherwise the program reads its own
    configuration, which may lead to another one."""
    return "$DATABASE_URL" in _COMMANDS.get(plan.framework, "")
