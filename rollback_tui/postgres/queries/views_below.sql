-- The definitions of the views among the relations as written, and of the views these read.
WITH RECURSIVE seen (oid) AS (
  SELECT c.oid FROM unnest(%(names)s::text[]) AS n(name)
    JOIN pg_class c ON c.oid = to_regclass(n.name) AND c.relkind = 'v'
  UNION
  SELECT c.oid
    FROM seen s
    JOIN pg_rewrite r ON r.ev_class = s.oid
    JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
                    AND d.refclassid = 'pg_class'::regclass
    JOIN pg_class c ON c.oid = d.refobjid AND c.relkind = 'v'
)
SELECT oid, pg_get_viewdef(oid) FROM seen ORDER BY oid
