-- The sequences that belong to a table's serial and identity columns (or the sequence itself),
-- with the number given out last; none that was never used, and none we may not read.
SELECT quote_ident(n.nspname) || '.' || quote_ident(s.relname) AS name,
       quote_ident(a.attname) AS column, pg_sequence_last_value(s.oid) AS last_value
  FROM pg_class s
  JOIN pg_namespace n ON n.oid = s.relnamespace
  LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = s.oid
                       AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
  LEFT JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
 WHERE s.relkind = 'S' AND (d.refobjid = %(oid)s OR s.oid = %(oid)s)
   AND CASE WHEN has_sequence_privilege(s.oid, 'SELECT,USAGE')
         THEN pg_sequence_last_value(s.oid) IS NOT NULL END
 ORDER BY 1
