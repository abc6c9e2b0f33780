-- One row: what the hours after a run are judged by. {which} finds the database, by number or name.
-- Nothing here is dear with many sessions: who has which lock is asked only while somebody waits
-- for one, and who is in the way only of the five that have waited longest.
WITH /* rollback_tui */ target AS (
    SELECT oid, datname, datconnlimit FROM pg_catalog.pg_database WHERE {which}
), clients AS MATERIALIZED (
    SELECT a.pid, a.datid, coalesce(a.application_name, '') AS application,
           coalesce(a.usename, '') AS "user", a.state, a.query, a.query_start, a.xact_start,
           a.wait_event_type, a.state_change,
           -- Somebody with our name and not our role is not us.
           a.application_name LIKE 'rollback\_tui%' AND a.usename = current_user AS ours,
           -- NULL when we may not see another role's session (no pg_read_all_stats).
           a.backend_type IS NULL AS hidden
    FROM pg_catalog.pg_stat_activity a
    WHERE a.usesysid IS NOT NULL
      AND coalesce(a.backend_type, 'client backend') = 'client backend'
), inside AS MATERIALIZED (
    SELECT c.* FROM clients c, target t
    WHERE c.datid = t.oid AND c.pid <> pg_catalog.pg_backend_pid()
), wanted AS MATERIALIZED (
    -- waitstart is there since 14; it stays empty for a moment after the wait began.
    SELECT DISTINCT ON (l.pid) l.pid, l.locktype, l.mode, l.relation,
           (pg_catalog.to_jsonb(l) ->> 'waitstart')::timestamptz AS since
    FROM pg_catalog.pg_locks l
    WHERE NOT l.granted AND l.pid IS NOT NULL
      AND (SELECT count(*) FROM inside i WHERE i.hidden OR i.wait_event_type = 'Lock') > 0
    ORDER BY l.pid
), waiting AS MATERIALIZED (
    -- Before 14: not before its query began.
    SELECT i.pid, i.application, w.locktype, w.mode, w.relation,
           extract(epoch FROM pg_catalog.clock_timestamp()
                              - coalesce(w.since, i.query_start))::float8 AS seconds
    FROM wanted w JOIN inside i ON i.pid = w.pid
    WHERE NOT i.ours
), waits AS MATERIALIZED (
    SELECT w.pid, w.application, w.seconds,
           w.mode || ' on ' || CASE
               WHEN w.locktype IN ('relation', 'tuple') THEN
                   CASE WHEN w.locktype = 'tuple' THEN 'a row of ' ELSE '' END
                   || coalesce((SELECT pg_catalog.quote_ident(n.nspname) || '.'
                                       || pg_catalog.quote_ident(r.relname)
                                FROM pg_catalog.pg_class r
                                JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
                                JOIN target t ON t.datname = pg_catalog.current_database()
                                WHERE r.oid = w.relation),
                               'relation ' || w.relation)
               WHEN w.locktype = 'transactionid' THEN 'a row that another transaction wrote'
               ELSE w.locktype END AS lock,
           pg_catalog.pg_blocking_pids(w.pid) AS behind
    FROM (SELECT * FROM waiting WHERE seconds > 1 ORDER BY seconds DESC LIMIT 5) w
), blockers AS (
    SELECT c.pid, c.application, coalesce(c.state, '') AS state,
           extract(epoch FROM pg_catalog.clock_timestamp()
                              - coalesce(c.xact_start, c.state_change))::float8 AS seconds
    FROM clients c
    WHERE c.pid IN (SELECT pg_catalog.unnest(w.behind) FROM waits w)
), oldest AS (
    SELECT i.pid, i.application, i."user", pg_catalog.left(i.query, 1000) AS query,
           greatest(0, extract(epoch FROM pg_catalog.clock_timestamp() - i.query_start))::float8
               AS seconds
    FROM inside i
    WHERE i.state = 'active' AND NOT i.ours AND i.application <> 'pg_dump'
    ORDER BY i.query_start LIMIT 3
), idle AS (
    SELECT i.pid, i.application, i."user", pg_catalog.left(i.query, 1000) AS query,
           greatest(0, extract(epoch FROM pg_catalog.clock_timestamp() - i.xact_start))::float8
               AS seconds
    FROM inside i
    WHERE i.state LIKE 'idle in transaction%' AND NOT i.ours
      AND i.xact_start < pg_catalog.clock_timestamp() - interval '1 second'
    ORDER BY i.xact_start LIMIT 3
), applications AS (
    SELECT i.application, count(*) AS sessions FROM inside i WHERE NOT i.ours
    GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 5
), standbys AS (
    -- replay_lag is NULL once a standby that has everything has said so twice: it is idle.
    -- pg_basebackup is none.
    SELECT coalesce(r.application_name, '') AS application, r.state,
           extract(epoch FROM r.replay_lag)::float8 AS seconds,
           pg_catalog.pg_wal_lsn_diff(
               CASE WHEN NOT pg_catalog.pg_is_in_recovery()
                    THEN pg_catalog.pg_current_wal_flush_lsn() END, r.replay_lsn)::bigint AS bytes
    FROM pg_catalog.pg_stat_replication r
    WHERE r.state IS DISTINCT FROM 'backup'
)
SELECT pg_catalog.json_build_object(
    'taken_at', pg_catalog.clock_timestamp(),
    'started_at', pg_catalog.pg_postmaster_start_time(),
    'in_recovery', pg_catalog.pg_is_in_recovery(),
    'database', (SELECT datname FROM target),
    'database_oid', (SELECT oid::bigint FROM target),
    -- The two columns of sessions are there since 14.
    'counted', (SELECT pg_catalog.json_build_object(
            'commits', d.xact_commit, 'rollbacks', d.xact_rollback, 'deadlocks', d.deadlocks,
            'hit', d.blks_hit, 'read', d.blks_read,
            'fatal', (pg_catalog.to_jsonb(d) ->> 'sessions_fatal')::bigint,
            'abandoned', (pg_catalog.to_jsonb(d) ->> 'sessions_abandoned')::bigint,
            'reset', d.stats_reset)
        FROM pg_catalog.pg_stat_database d JOIN target t ON d.datid = t.oid),
    'connections', pg_catalog.json_build_object(
        'total', (SELECT count(*) FROM clients),
        'maximum', pg_catalog.current_setting('max_connections')::int,
        -- reserved_connections is there since 16.
        'reserved', pg_catalog.current_setting('superuser_reserved_connections')::int
            + coalesce(nullif(pg_catalog.current_setting('reserved_connections', true), '')::int, 0),
        'inside', (SELECT count(*) FROM inside WHERE NOT ours),
        'limit', coalesce((SELECT datconnlimit FROM target), -1),
        'ours', (SELECT count(*) FROM inside WHERE ours),
        'active', (SELECT count(*) FROM inside WHERE NOT ours AND state = 'active'),
        'idle_in_transaction', (SELECT count(*) FROM inside
                                WHERE NOT ours AND state LIKE 'idle in transaction%'),
        'applications', (SELECT coalesce(pg_catalog.json_agg(
                pg_catalog.json_build_array(x.application, x.sessions)
                ORDER BY x.sessions DESC, x.application), '[]')
            FROM applications x)),
    'hidden', (SELECT count(*) FROM inside WHERE hidden),
    'oldest', (SELECT coalesce(pg_catalog.json_agg(o ORDER BY o.seconds DESC), '[]') FROM oldest o),
    'idle', (SELECT coalesce(pg_catalog.json_agg(o ORDER BY o.seconds DESC), '[]') FROM idle o),
    'waiting', (SELECT count(*) FROM waiting WHERE seconds > 1),
    'waiting_unknown', (SELECT count(*) FROM waiting WHERE seconds IS NULL),
    'waits', (SELECT coalesce(pg_catalog.json_agg(w ORDER BY w.seconds DESC), '[]') FROM waits w),
    'blockers', (SELECT coalesce(pg_catalog.json_agg(b), '[]') FROM blockers b),
    'standbys', (SELECT coalesce(pg_catalog.json_agg(s), '[]') FROM standbys s
                 WHERE s.state IS NOT NULL),
    'standbys_hidden', (SELECT count(*) FROM standbys s WHERE s.state IS NULL),
    'behind', CASE WHEN pg_catalog.pg_is_in_recovery() THEN
        CASE WHEN pg_catalog.pg_last_wal_receive_lsn() = pg_catalog.pg_last_wal_replay_lsn() THEN 0
             ELSE extract(epoch FROM pg_catalog.clock_timestamp()
                                     - pg_catalog.pg_last_xact_replay_timestamp())::float8 END END,
    'here', (SELECT datname FROM target) = pg_catalog.current_database()
)::text
