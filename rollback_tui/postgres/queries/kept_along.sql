-- Tables whose rows go, or are changed, when rows of a table are deleted: by ON DELETE CASCADE
-- (c), SET NULL (n) or SET DEFAULT (d); of a partitioned table, also by keys to single partitions.
-- With an empty search_path.
--
-- A key between partitioned tables has a row for each of their partitions: only the table that it
-- was made for is named, which has the rows of all.
WITH RECURSIVE below (oid) AS (
  SELECT %(oid)s::oid
  UNION
  SELECT i.inhrelid FROM below b JOIN pg_inherits i ON i.inhparent = b.oid
    JOIN pg_class c ON c.oid = i.inhrelid AND c.relispartition
), keys (oid, root) AS (
  SELECT k.oid, k.oid FROM pg_constraint k WHERE k.contype = 'f' AND k.conparentid = 0
  UNION ALL
  SELECT k.oid, r.root FROM keys r JOIN pg_constraint k ON k.conparentid = r.oid
)
SELECT DISTINCT k.conrelid::bigint AS oid, k.confdeltype::text AS action,
       ARRAY(SELECT quote_ident(a.attname) FROM unnest(k.conkey) WITH ORDINALITY AS u(num, place)
               JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.num
              ORDER BY u.place) AS columns,
       ARRAY(SELECT quote_ident(a.attname) FROM unnest(k.confkey) WITH ORDINALITY AS u(num, place)
               JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.num
              ORDER BY u.place) AS referenced
  FROM (SELECT DISTINCT keys.root FROM keys JOIN pg_constraint k ON k.oid = keys.oid
         WHERE k.confrelid IN (SELECT oid FROM below)) made
  JOIN pg_constraint k ON k.oid = made.root
 WHERE k.confdeltype IN ('c', 'n', 'd')
 ORDER BY 1, 3
