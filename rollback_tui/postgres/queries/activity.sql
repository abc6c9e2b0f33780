-- One row: all that is refreshed each second. Lock waits are resolved only for those that wait,
-- because pg_blocking_pids takes the lock manager's lock.
WITH me AS (
    SELECT oid, datname FROM pg_database WHERE datname = current_database()
), writers AS (
    SELECT DISTINCT l.pid
    FROM pg_locks l, me
    WHERE l.locktype = 'relation' AND l.database = me.oid AND l.granted AND l.relation >= 16384
      AND l.mode IN ('RowExclusiveLock', 'ShareUpdateExclusiveLock', 'ShareRowExclusiveLock',
                     'ExclusiveLock', 'AccessExclusiveLock')
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
           CASE WHEN a.wait_event_type = 'Lock' THEN pg_blocking_pids(a.pid)
                ELSE '{}'::int[] END AS blocked_by,
           b.backend_type = 'client backend'
               AND (a.backend_xid IS NOT NULL OR w.pid IS NOT NULL) AS writing,
           a.application_name LIKE 'rollback\_tui%' AND a.usename = current_user AS ours,
           coalesce(r.rolsuper, false) AS superuser,
           a.backend_start
    FROM me
    JOIN pg_stat_activity a ON a.datid = me.oid
    -- NULL when we may not see another role's session (no pg_read_all_stats): then everybody
    -- with a user counts as a client.
    CROSS JOIN LATERAL (SELECT coalesce(a.backend_type, CASE WHEN a.usesysid IS NOT NULL
                               THEN 'client backend' ELSE '' END) AS backend_type) b
    LEFT JOIN pg_roles r ON r.oid = a.usesysid
    LEFT JOIN writers w ON w.pid = a.pid
)
SELECT clock_timestamp(),
       (SELECT coalesce(json_agg(s ORDER BY s.transaction_age DESC NULLS LAST, s.pid), '[]')
        FROM sessions s),
       (SELECT coalesce(json_agg(json_build_object('gid', p.gid, 'owner', p.owner,
                   'age', extract(epoch FROM clock_timestamp() - p.prepared)::float8)), '[]')
        FROM pg_prepared_xacts p, me WHERE p.database = me.datname),
       json_build_object(
           'standbys', (SELECT count(*) FROM pg_stat_replication),
           'synchronous_standby_names', current_setting('synchronous_standby_names'),
           'logical_slots', (SELECT coalesce(json_agg(slot_name), '[]')
                             FROM pg_replication_slots sl, me
                             WHERE sl.slot_type = 'logical' AND sl.database = me.datname),
           'subscriptions', (SELECT count(subname) FROM pg_subscription sb, me
                             WHERE sb.subdbid = me.oid),
           'replay_lag', (SELECT extract(epoch FROM max(replay_lag))::float8
                          FROM pg_stat_replication)),
       (SELECT xact_commit FROM pg_stat_database sd, me WHERE sd.datid = me.oid),
       (SELECT xact_rollback FROM pg_stat_database sd, me WHERE sd.datid = me.oid),
       (SELECT sum(numbackends)::bigint FROM pg_stat_database),
       current_setting('max_connections')::int
