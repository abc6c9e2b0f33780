-- Constraints of some tables. Writing a CHECK down opens its table: it would wait for whoever has
-- the table locked, or waits to lock it, and so it is left out for those.
WITH locked AS (
  SELECT l.relation FROM pg_locks l
   WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock'
     AND l.pid IS DISTINCT FROM pg_backend_pid()
     AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
)
SELECT k.oid, k.conname, k.conrelid, k.contype, k.convalidated,
       coalesce(k.conkey, '{}'), k.conindid, k.confrelid, k.conparentid, k.conislocal,
       k.coninhcount, k.connoinherit,
       CASE WHEN k.contype = 'c' AND k.conrelid NOT IN (SELECT relation FROM locked)
            THEN pg_get_constraintdef(k.oid) ELSE '' END
  FROM pg_constraint k
 WHERE k.conrelid = ANY (%(oids)s::oid[])
 ORDER BY k.conrelid, k.conname
