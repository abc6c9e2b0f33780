#!/usr/bin/env bash
# Restores this checkpoint into a NEW database beside the one it was taken from. By hand: it
# needs bash, sha256sum (or shasum), psql and pg_restore, and nothing else.
#
#   ./restore.sh NEW_DATABASE
#
# The server is named by libpq's own environment: PGHOST, PGPORT, PGUSER, PGPASSFILE …
# PGDATABASE is the database to connect to meanwhile ("postgres" when it is not set or is the
# original). PG_BIN may name the directory of the programs, JOBS how many tables are loaded at once.
set -euo pipefail
umask 077

readonly original=@DATABASE@
readonly dump_major=@MAJOR@
readonly known_bin=@BIN@
maintenance=${PGDATABASE:-postgres}
[ "$maintenance" != "$original" ] || maintenance=postgres
readonly maintenance
readonly jobs=${JOBS:-@JOBS@}

fail() {
    printf '%s\n' "restore.sh: $1" >&2
    printf '%s\n' "  what to do: $2" >&2
    exit 1
}

[ $# -eq 1 ] && [ -n "$1" ] && [ "${1#-}" = "$1" ] || {
    printf '%s\n' "usage: $0 NEW_DATABASE" "  (server by PGHOST, PGPORT, PGUSER, PGPASSFILE …)" >&2
    exit 2
}
readonly new=$1
[ "$new" != "$original" ] || fail "a checkpoint is never restored over its own database" \
    "choose another name; the two are swapped by name afterwards"

# The programs: from the directory that was asked for, from where pg_dump was when the checkpoint
# was made, from Debian's place for this version, or from the PATH.
major_of() { "$1" --version 2>/dev/null | sed -nE 's/.*\(PostgreSQL\) ([0-9]+).*/\1/p'; }
tool() {
    local candidate found
    for candidate in "${PG_BIN:-$known_bin}/$1" "$known_bin/$1" \
        "/usr/lib/postgresql/$dump_major/bin/$1" "$1"; do
        found=$(command -v -- "$candidate") || continue
        if [ "$1" = psql ] || [ "$(major_of "$found")" = "$dump_major" ]; then
            printf '%s\n' "$found"
            return
        fi
    done
    fail "no $1 of version $dump_major was found" \
        "install postgresql-client-$dump_major, or set PG_BIN to the directory of its programs"
}
psql_program=$(tool psql)
restore_program=$(tool pg_restore)

cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")"

printf '%s\n' "1. comparing every file with its SHA-256"
if command -v sha256sum >/dev/null; then
    check=(sha256sum --quiet --check SHA256SUMS)
else
    check=(shasum -a 256 --check SHA256SUMS)
fi
"${check[@]}" >&2 || fail "the checkpoint was altered or is incomplete" "do not restore from it"
# proven.json comes later, when somebody has proven the checkpoint: it is in no sum.
[ "$(find . ! -type d ! -path ./proven.json | wc -l)" -eq "$(($(wc -l <SHA256SUMS) + 1))" ] ||
    fail "there are files in the checkpoint that are not of it" "compare with SHA256SUMS"

ask() { "$psql_program" -X -q -A -t -v ON_ERROR_STOP=1 -v "new=$new" -v "original=$original" "$@"; }
conninfo() {
    local name=${1//\\/\\\\}
    printf "dbname='%s'" "${name//\'/\\\'}"
}

printf '%s\n' "2. creating the new database"
ask -d "$(conninfo "$maintenance")" -f create.sql ||
    fail "the new database could not be created" "see above; nothing was changed"

remove_new() {
    printf '%s\n' "restore.sh: failed; removing the new database, the original is untouched" >&2
    ask -d "$(conninfo "$maintenance")" <<<'DROP DATABASE IF EXISTS :"new" WITH (FORCE);' >&2 || true
}
trap remove_new EXIT
trap 'exit 130' INT TERM HUP

printf '%s\n' "3. loading it with $jobs jobs"
"$restore_program" --exit-on-error --no-password --jobs="$jobs" --dbname="$(conninfo "$new")" dump

printf '%s\n' "4. collecting statistics; owner, privileges and settings of the database"
ask -d "$(conninfo "$new")" <<<'SET client_min_messages = error; ANALYZE;'
ask -d "$(conninfo "$maintenance")" -f database.sql
trap - EXIT

printf '%s\n' "" "Restored and complete. To put it in place of the original, end its sessions" \
    "and run this in \"$maintenance\" (renames, one transaction):" ""
# What was called so may be gone, or have another name by now.
ask -d "$(conninfo "$maintenance")" <<'SQL'
SELECT format(E'  BEGIN;\n%s  ALTER DATABASE %I RENAME TO %I;\n  COMMIT;',
              (SELECT format(E'  ALTER DATABASE %I RENAME TO %I;\n',
                             datname, left(datname, 40) || '__replaced')
               FROM pg_database WHERE datname = :'original'),
              :'new', :'original');
SQL
