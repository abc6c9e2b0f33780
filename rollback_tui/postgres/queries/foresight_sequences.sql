-- Sequences that belong to a column: a is OWNED BY (serial), i an identity column.
SELECT d.objid, d.refobjid, d.refobjsubid
  FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
 WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
   AND d.objsubid = 0 AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
 ORDER BY d.objid
