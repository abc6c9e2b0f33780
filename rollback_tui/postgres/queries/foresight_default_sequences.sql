-- Sequences that give a column its default: (table, column, sequence); identity columns too.
SELECT d.adrelid, d.adnum, p.refobjid
  FROM pg_attrdef d
  JOIN pg_depend p ON p.classid = 'pg_attrdef'::regclass AND p.objid = d.oid
   AND p.refclassid = 'pg_class'::regclass
  JOIN pg_class s ON s.oid = p.refobjid AND s.relkind = 'S'
UNION
SELECT p.refobjid, p.refobjsubid, p.objid
  FROM pg_depend p JOIN pg_class s ON s.oid = p.objid AND s.relkind = 'S'
 WHERE p.classid = 'pg_class'::regclass AND p.refclassid = 'pg_class'::regclass
   AND p.deptype = 'i' AND p.refobjsubid > 0
