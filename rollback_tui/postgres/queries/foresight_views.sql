-- What views read: (view, relation, or null where it calls a function of a user's).
SELECT DISTINCT r.ev_class, CASE WHEN d.refclassid = 'pg_class'::regclass THEN d.refobjid END
  FROM pg_rewrite r
  JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
   AND d.refclassid IN ('pg_class'::regclass, 'pg_proc'::regclass)
   AND NOT (d.refclassid = 'pg_class'::regclass AND d.refobjid = r.ev_class)
 WHERE r.rulename = '_RETURN' AND r.ev_class >= 16384
