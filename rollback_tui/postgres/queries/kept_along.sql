-- Tables whose rows go, or are changed, when rows of a table are deleted: by ON DELETE CASCADE
-- (c), SET NULL (n) or SET DEFAULT (d). With an empty search_path.
SELECT DISTINCT k.conrelid::bigint AS oid, k.confdeltype::text AS action,
       ARRAY(SELECT quote_ident(a.attname) FROM unnest(k.conkey) WITH ORDINALITY AS u(num, place)
               JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.num
              ORDER BY u.place) AS columns,
       ARRAY(SELECT quote_ident(a.attname) FROM unnest(k.confkey) WITH ORDINALITY AS u(num, place)
               JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.num
              ORDER BY u.place) AS referenced
  FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
 WHERE k.confrelid = %(oid)s AND k.contype = 'f' AND k.confdeltype IN ('c', 'n', 'd')
   AND NOT c.relispartition
 ORDER BY 1, 3
