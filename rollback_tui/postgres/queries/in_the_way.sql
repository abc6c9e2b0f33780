-- One row, refreshed each second: who holds, or waits for, a lock on one of the given relations
-- that conflicts with what is needed on it; and who waits for whom, asked only when anybody does.
-- `names` are names as regclass prints them with an empty search_path, `written` such as a script
-- has them; `every` stands for all names there are; the masks have bit n set when mode n (of `modes`, from 1) is in the way.
WITH me AS (
    SELECT oid, datname FROM pg_database WHERE datname = current_database()
), locks AS MATERIALIZED (
    SELECT locktype, database, relation, transactionid, pid, virtualtransaction, granted, mode,
           array_position(%(modes)s::text[], mode) AS number
    FROM pg_locks
), activity AS MATERIALIZED (
    SELECT a.*, a.application_name LIKE 'rollback\_tui%%' AND a.usename = current_user AS ours,
           -- Its leader has the same lock, and is named.
           a.backend_type = 'parallel worker' AS helper
    FROM pg_stat_activity a
), taken AS MATERIALIZED (
    SELECT l.* FROM locks l, me
    WHERE l.locktype = 'relation' AND l.database = me.oid AND l.relation >= 16384
      AND NOT EXISTS (SELECT FROM activity a WHERE a.pid = l.pid AND (a.ours OR a.helper))
), known AS MATERIALIZED (
    SELECT c.oid, quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name,
           (SELECT quote_ident(tn.nspname) || '.' || quote_ident(t.relname)
              FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid
              JOIN pg_namespace tn ON tn.oid = t.relnamespace
             WHERE i.indexrelid = c.oid) AS indexed
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid IN (SELECT relation FROM taken)
), wanted AS (
    SELECT k.oid, w.name, w.mask
    FROM unnest(%(names)s::text[], %(masks)s::int[]) AS w(name, mask) JOIN known k USING (name)
    UNION ALL
    SELECT oid, name, -1 FROM known WHERE %(every)s
    UNION ALL
    SELECT to_regclass(w.name)::oid, w.name, w.mask
    FROM unnest(%(written)s::text[], %(written_masks)s::int[]) AS w(name, mask)
    WHERE EXISTS (SELECT FROM taken)
), found AS MATERIALIZED (
    SELECT t.pid, t.virtualtransaction, w.name AS asked, k.name, k.indexed, t.granted,
           left(t.mode, -4) AS mode
    FROM wanted w JOIN taken t ON t.relation = w.oid JOIN known k ON k.oid = w.oid
    WHERE w.mask >> t.number & 1 = 1 OR t.number IS NULL
), prepared AS (
    -- Every transaction holds a lock on its own number; a prepared one's virtualtransaction is
    -- that of the session which began it, or -1/<number> once the server was started again.
    SELECT p.gid, p.owner, p.prepared, l.virtualtransaction
    FROM pg_prepared_xacts p
    JOIN locks l ON l.locktype = 'transactionid' AND l.transactionid = p.transaction
                AND l.pid IS NULL AND l.granted
), waiters AS MATERIALIZED (
    SELECT DISTINCT l.pid FROM locks l
    WHERE NOT l.granted AND l.pid IS NOT NULL AND EXISTS (SELECT FROM found)
      AND NOT EXISTS (SELECT FROM activity a WHERE a.pid = l.pid AND a.ours)
)
SELECT (SELECT coalesce(json_agg(json_build_object(
            'pid', coalesce(f.pid, 0),
            'transaction', CASE WHEN f.pid IS NULL THEN f.virtualtransaction ELSE '' END,
            'application', coalesce(p.gid, a.application_name, ''),
            'user', coalesce(p.owner, a.usename, ''),
            'state', CASE WHEN p.gid IS NOT NULL THEN 'prepared' ELSE coalesce(a.state, '') END,
            'query', coalesce(left(a.query, 400), ''),
            'age', extract(epoch FROM clock_timestamp()
                           - coalesce(p.prepared, a.xact_start))::float8,
            'backend', coalesce(a.backend_type, CASE WHEN a.usesysid IS NULL THEN '' END,
                                'client backend'),
            'locks', f.locks)), '[]')
        FROM (SELECT pid, virtualtransaction,
                     json_agg(json_build_array(asked, name, indexed, mode, granted)) AS locks
              FROM found GROUP BY pid, virtualtransaction) f
        LEFT JOIN activity a ON a.pid = f.pid
        LEFT JOIN prepared p ON f.pid IS NULL AND f.virtualtransaction = p.virtualtransaction),
       (SELECT coalesce(json_agg(json_build_array(w.pid, pg_blocking_pids(w.pid))), '[]')
        FROM waiters w),
       -- A prepared transaction has no pid to be named by: who waits for one of its locks.
       (SELECT coalesce(json_agg(DISTINCT jsonb_build_array(h.virtualtransaction, l.pid)), '[]')
        FROM locks h JOIN locks l
          ON l.locktype = h.locktype AND l.database IS NOT DISTINCT FROM h.database
         AND l.relation IS NOT DISTINCT FROM h.relation
         AND l.transactionid IS NOT DISTINCT FROM h.transactionid
        JOIN waiters w ON w.pid = l.pid
        WHERE h.pid IS NULL AND h.granted AND NOT l.granted
          AND h.locktype IN ('relation', 'transactionid')
          AND 0 = ANY (pg_blocking_pids(l.pid)))
