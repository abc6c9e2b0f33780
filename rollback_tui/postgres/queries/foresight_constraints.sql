-- Constraints of some tables.
SELECT k.oid, k.conname, k.conrelid, k.contype, k.convalidated,
       coalesce(k.conkey, '{}'), k.conindid, k.confrelid, k.conparentid, k.conislocal,
       k.coninhcount, k.connoinherit, pg_get_constraintdef(k.oid)
  FROM pg_constraint k
 WHERE k.conrelid = ANY (%(oids)s::oid[])
 ORDER BY k.conrelid, k.conname
