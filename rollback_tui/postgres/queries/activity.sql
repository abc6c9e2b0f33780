-- One row: all that is refreshed each second. Lock waits are resolved only for those that wait,
-- because pg_blocking_pids takes the lock manager's lock; and for the 200 that came first only,
-- because it costs the more the longer the queue is. Those behind them wait for the same.
WITH me AS (
    SELECT oid, datname FROM pg_database WHERE datname = current_database()
), locks AS MATERIALIZED (
    -- Once: each look takes all partitions of the lock table.
    SELECT * FROM pg_locks
), writers AS (
    SELECT l.pid
    FROM locks l, me
    WHERE l.locktype = 'relation' AND l.database = me.oid AND l.granted AND l.relation >= 16384
      -- A prepared transaction has no pid, and IN would not be false any more.
      AND l.pid IS NOT NULL
      AND l.mode IN ('RowExclusiveLock', 'ShareUpdateExclusiveLock', 'ShareRowExclusiveLock',
                     'ExclusiveLock', 'AccessExclusiveLock')
), wanted AS MATERIALIZED (
    -- The lock that each waits for (there is one at most). Who waits for another's row waits for
    -- that one's transaction number, and holds the row's own lock meanwhile: it has the table.
    -- waitstart is there since 14.
    SELECT DISTINCT ON (l.pid) l.pid, l.locktype, left(l.mode, -4) AS mode,
           coalesce(l.relation, t.relation) AS relation, l.transactionid, l.virtualxid,
           l.classid, l.objid, l.objsubid,
           (to_jsonb(l) ->> 'waitstart')::timestamptz AS since
    FROM locks l
    LEFT JOIN locks t ON l.locktype = 'transactionid' AND t.pid = l.pid AND t.locktype = 'tuple'
                     AND t.granted
    WHERE NOT l.granted AND l.pid IS NOT NULL
    ORDER BY l.pid
), waits AS MATERIALIZED (
    SELECT w.pid, extract(epoch FROM clock_timestamp() - w.since)::float8 AS lock_age,
           CASE WHEN row_number() OVER (ORDER BY w.since NULLS LAST, w.pid) <= 200
                THEN pg_blocking_pids(w.pid) ELSE '{}'::int[] END AS blocked_by,
           w.mode || ' on ' || CASE
               WHEN w.locktype = 'transactionid' THEN
                   coalesce('a row of ' || r.name, 'a row') || ', transaction ' || w.transactionid
               WHEN w.locktype = 'tuple' THEN coalesce('a row of ' || r.name, 'a row')
               WHEN w.locktype = 'relation' THEN coalesce(r.name, 'relation ' || w.relation)
               WHEN r.name IS NOT NULL THEN w.locktype || ' of ' || r.name
               WHEN w.locktype = 'virtualxid' THEN 'transaction ' || w.virtualxid
               WHEN w.locktype = 'advisory'
                   THEN concat_ws(' ', 'advisory lock', w.classid, w.objid, w.objsubid)
               ELSE concat_ws(' ', w.locktype, w.classid::regclass::text, w.objid) END AS lock
    FROM wanted w
    LEFT JOIN (
        SELECT c.oid, quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.oid = ANY (ARRAY(SELECT relation FROM wanted))
    ) r ON r.oid = w.relation
), sessions AS (
    SELECT a.pid,
           coalesce(a.application_name, '') AS application,
           coalesce(a.usename, '') AS "user",
           CASE WHEN a.backend_type IS NULL THEN ''
                ELSE coalesce(host(a.client_addr), 'local') END AS address,
           coalesce(a.state, '') AS state,
           b.backend_type,
           coalesce(left(a.query, 4000), '') AS query,
           extract(epoch FROM clock_timestamp()
               - CASE WHEN a.state = 'active' THEN a.query_start ELSE a.state_change END)::float8
               AS query_age,
           extract(epoch FROM clock_timestamp() - a.xact_start)::float8 AS transaction_age,
           CASE WHEN a.state = 'active' OR a.state IS NULL
                THEN a.wait_event_type || ':' || a.wait_event END AS wait,
           -- IN here and no join: the planner takes the sessions for one, and would go through
           -- the writers once for each.
           b.backend_type = 'client backend'
               AND (a.backend_xid IS NOT NULL OR a.pid IN (SELECT w.pid FROM writers w)) AS writing,
           a.application_name LIKE 'rollback\_tui%' AND a.usename = current_user AS ours,
           coalesce(r.rolsuper, false) AS superuser,
           a.backend_start,
           a.leader_pid
    FROM me
    JOIN pg_stat_activity a ON a.datid = me.oid
    -- NULL when we may not see another role's session (no pg_read_all_stats): then everybody
    -- with a user counts as a client.
    CROSS JOIN LATERAL (SELECT coalesce(a.backend_type, CASE WHEN a.usesysid IS NOT NULL
                               THEN 'client backend' ELSE '' END) AS backend_type) b
    LEFT JOIN pg_roles r ON r.oid = a.usesysid
), prepared AS (
    SELECT p.gid, p.owner, extract(epoch FROM clock_timestamp() - p.prepared)::float8 AS age,
           -- It has no pid to be named by (pg_blocking_pids says 0): who waits for one of its
           -- locks, found by its virtual transaction, as every transaction locks its own number.
           (SELECT coalesce(json_agg(DISTINCT l.pid), '[]')
            FROM locks x
            JOIN locks h ON h.pid IS NULL AND h.granted
                        AND h.virtualtransaction = x.virtualtransaction
                        AND h.locktype IN ('relation', 'transactionid')
            JOIN locks l ON NOT l.granted AND l.locktype = h.locktype
                        AND l.database IS NOT DISTINCT FROM h.database
                        AND l.relation IS NOT DISTINCT FROM h.relation
                        AND l.transactionid IS NOT DISTINCT FROM h.transactionid
            JOIN waits q ON q.pid = l.pid AND 0 = ANY (q.blocked_by)
            WHERE x.locktype = 'transactionid' AND x.transactionid = p.transaction
              AND x.pid IS NULL AND x.granted) AS blocks
    FROM pg_prepared_xacts p, me WHERE p.database = me.datname
)
SELECT clock_timestamp(),
       (SELECT coalesce(json_agg(s ORDER BY s.transaction_age DESC NULLS LAST, s.pid), '[]')
        FROM sessions s)::text,
       (SELECT coalesce(json_agg(w), '[]') FROM waits w)::text,
       (SELECT coalesce(json_agg(p), '[]') FROM prepared p)::text,
       json_build_object(
           'standbys', (SELECT count(*) FROM pg_stat_replication),
           'synchronous_standby_names', current_setting('synchronous_standby_names'),
           'logical_slots', (SELECT coalesce(json_agg(slot_name), '[]')
                             FROM pg_replication_slots sl, me
                             WHERE sl.slot_type = 'logical' AND sl.database = me.datname),
           'subscriptions', (SELECT count(subname) FROM pg_subscription sb, me
                             WHERE sb.subdbid = me.oid),
           'replay_lag', (SELECT extract(epoch FROM max(replay_lag))::float8
                          FROM pg_stat_replication))::text,
       (SELECT row_to_json(t) FROM (
            SELECT sd.xact_commit AS commits, sd.xact_rollback AS rollbacks,
                   sd.tup_inserted + sd.tup_updated + sd.tup_deleted AS rows_written,
                   sd.stats_reset
            FROM pg_stat_database sd, me WHERE sd.datid = me.oid) t)::text,
       (SELECT sum(numbackends)::bigint FROM pg_stat_database),
       current_setting('max_connections')::int
