-- Every foreign key, those that partitions have from their partitioned table too.
SELECT k.oid, k.conname, k.conrelid, k.confrelid, k.conkey, k.confkey, k.convalidated,
       k.confdeltype, k.confupdtype, k.conparentid, k.conindid, k.condeferred
  FROM pg_constraint k
 WHERE k.contype = 'f'
 ORDER BY k.oid
