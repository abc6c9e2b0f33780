-- Indexes and constraints that are made anew when a column changes its type: (table, column, what,
-- its oid). Indexes that keep a constraint come through it.
SELECT d.refobjid, d.refobjsubid, CASE WHEN d.classid = 'pg_class'::regclass THEN 'index'
                                       ELSE 'constraint' END, d.objid
  FROM pg_depend d
  LEFT JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
 WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = ANY (%(oids)s::oid[])
   AND d.refobjsubid > 0
   AND (d.classid = 'pg_constraint'::regclass OR c.relkind IN ('i', 'I'))
 GROUP BY 1, 2, 3, 4
