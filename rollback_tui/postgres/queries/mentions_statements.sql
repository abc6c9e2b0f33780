-- One row: what was called most of all that could name what goes, and whether texts are hidden.
-- The columns used here are in every version of the extension from 1.1 on.
WITH seen AS MATERIALIZED (
    SELECT s.query, s.calls, s.userid FROM {view} s
    WHERE s.dbid = (SELECT oid FROM pg_catalog.pg_database
                     WHERE datname = pg_catalog.current_database())
), named AS (
    SELECT pg_catalog.left(s.query, 10000) AS query, pg_catalog.sum(s.calls)::bigint AS calls,
           coalesce(r.rolname, '') AS "user"
    FROM seen s LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.userid
    WHERE s.query ~* %(pattern)s
    -- The same text is there twice when a function called it too (toplevel, from 1.10 on).
    GROUP BY 1, 3 ORDER BY 2 DESC LIMIT 1000
)
SELECT (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_array(n."user", n.calls, n.query)
                        ORDER BY n.calls DESC), '[]') FROM named n),
       EXISTS (SELECT FROM seen WHERE query IS NULL OR query = '<insufficient privilege>')
