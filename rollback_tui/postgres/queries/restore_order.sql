-- Which of the given tables refer to which by foreign keys: (table, referenced). A key of a
-- partitioned table counts for its partitions too, on both sides.
WITH RECURSIVE family (oid, member) AS (
  SELECT t, t FROM unnest(%(tables)s::oid[]) AS t
  UNION
  SELECT f.oid, i.inhparent FROM family f JOIN pg_inherits i ON i.inhrelid = f.member
)
SELECT DISTINCT a.oid::bigint, b.oid::bigint
  FROM pg_constraint k
  JOIN family a ON a.member = k.conrelid
  JOIN family b ON b.member = k.confrelid
 WHERE k.contype = 'f' AND a.oid <> b.oid
