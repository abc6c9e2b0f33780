-- One row: the sums of a database, and its queries with the largest total time. Entries of several
-- roles, or called by functions and by clients (toplevel, since 14), are one query.
-- Ours hold a comment, by which they are left out; not before their first word, where servers differ
-- in whether it belongs to the text. So is what pg_dump copies: our checkpoint, the nightly backup.
WITH /* rollback_tui */ seen AS MATERIALIZED (
    SELECT s.queryid, s.calls, s.{total} / 1000 AS seconds,
           -- The same in every collation; texts of statements are long.
           pg_catalog.hashtextextended(s.query COLLATE "C", 0) AS hash,
           pg_catalog.left(s.query, 400) AS query
    FROM {view} s
    WHERE s.dbid = {oid}
      AND (s.query IS NULL OR pg_catalog.left(s.query, 50) NOT LIKE '%/* rollback\_tui */%'
                              AND s.query NOT LIKE 'COPY % TO stdout')
), known AS MATERIALIZED (
    SELECT x.queryid, x.hash, min(x.query) AS query, sum(x.calls)::bigint AS calls,
           sum(x.seconds)::float8 AS seconds
    FROM seen x WHERE x.queryid IS NOT NULL
    GROUP BY 1, 2
)
SELECT pg_catalog.json_build_object(
    'taken_at', pg_catalog.clock_timestamp(),
    'calls', (SELECT coalesce(sum(calls), 0)::bigint FROM seen),
    'seconds', (SELECT coalesce(sum(seconds), 0)::float8 FROM seen),
    'left', greatest(0, (SELECT count(*) FROM known) - {most}),
    -- Of another role, for one that may not see it: neither id nor text.
    'hidden', (SELECT count(*) FROM seen WHERE queryid IS NULL),
    'reset', {reset},
    'evicted', {evicted},
    'queries', (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
            'id', k.queryid, 'hash', k.hash, 'text', k.query, 'calls', k.calls,
            'seconds', k.seconds)), '[]')
        FROM (SELECT * FROM known ORDER BY seconds DESC, calls DESC LIMIT {most}) k)
)::text
