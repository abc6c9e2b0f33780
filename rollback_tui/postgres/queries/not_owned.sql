-- Of the given objects, those our role may not change (or, with a privilege, not write to).
SELECT a.name || CASE WHEN a.privilege <> '' THEN ' (no ' || a.privilege || ' privilege)' ELSE '' END
  FROM unnest(%(names)s::text[], %(privileges)s::text[], %(catalogs)s::oid[], %(objects)s::oid[])
       WITH ORDINALITY AS a(name, privilege, catalog, object, place)
  LEFT JOIN pg_class c ON a.catalog = 'pg_class'::regclass AND c.oid = a.object
  LEFT JOIN pg_constraint k ON a.catalog = 'pg_constraint'::regclass AND k.oid = a.object
  LEFT JOIN pg_trigger t ON a.catalog = 'pg_trigger'::regclass AND t.oid = a.object
  LEFT JOIN pg_policy p ON a.catalog = 'pg_policy'::regclass AND p.oid = a.object
  LEFT JOIN pg_class part ON part.oid = coalesce(k.conrelid, t.tgrelid, p.polrelid)
  LEFT JOIN pg_proc f ON a.catalog = 'pg_proc'::regclass AND f.oid = a.object
  LEFT JOIN pg_type y ON a.catalog = 'pg_type'::regclass AND y.oid = a.object
  LEFT JOIN pg_namespace n ON a.catalog = 'pg_namespace'::regclass AND n.oid = a.object
  LEFT JOIN pg_extension e ON a.catalog = 'pg_extension'::regclass AND e.oid = a.object
 WHERE CASE
         WHEN a.privilege <> '' AND c.relkind IN ('r', 'p', 'f', 'v', 'm')
           THEN NOT has_table_privilege(c.oid, a.privilege)
         ELSE NOT pg_has_role(coalesce(c.relowner, part.relowner, f.proowner, y.typowner,
                                       n.nspowner, e.extowner), 'USAGE') END
 ORDER BY a.place
