-- The indexes of users' tables, each with the constraint it keeps.
SELECT i.indexrelid, i.indrelid, i.indisunique, i.indisprimary, i.indisvalid,
       coalesce((SELECT k.oid FROM pg_constraint k
                  WHERE k.conrelid = i.indrelid AND k.conindid = i.indexrelid
                    AND k.contype IN ('p', 'u', 'x')), 0),
       i.indkey::text, i.indpred IS NOT NULL, i.indisexclusion
  FROM pg_index i
 WHERE i.indrelid >= 16384
 ORDER BY i.indexrelid
