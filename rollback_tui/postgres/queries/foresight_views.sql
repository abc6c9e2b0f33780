-- What views read: (view, relation, or null where it calls a function of a user's, be it by an
-- operator, or by a type whose cast may have one: a domain, say).
SELECT DISTINCT r.ev_class, CASE WHEN d.refclassid = 'pg_class'::regclass THEN d.refobjid END
  FROM pg_rewrite r
  JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
   AND d.refclassid IN ('pg_class'::regclass, 'pg_proc'::regclass, 'pg_operator'::regclass,
                        'pg_type'::regclass)
   AND NOT (d.refclassid = 'pg_class'::regclass AND d.refobjid = r.ev_class)
  LEFT JOIN pg_operator o ON d.refclassid = 'pg_operator'::regclass AND o.oid = d.refobjid
  LEFT JOIN pg_proc p ON p.oid = o.oprcode
  LEFT JOIN pg_language l ON l.oid = p.prolang
  LEFT JOIN pg_type t ON d.refclassid = 'pg_type'::regclass AND t.oid = d.refobjid
 WHERE r.rulename = '_RETURN' AND r.ev_class >= 16384
   AND CASE d.refclassid
         WHEN 'pg_operator'::regclass THEN l.lanname NOT IN ('internal', 'c')
         WHEN 'pg_type'::regclass THEN t.typtype = 'd' AND EXISTS (
           SELECT FROM pg_constraint k JOIN pg_depend c ON c.objid = k.oid
              AND c.classid = 'pg_constraint'::regclass AND c.refclassid = 'pg_proc'::regclass
            WHERE k.contypid = t.oid)
         ELSE true END
