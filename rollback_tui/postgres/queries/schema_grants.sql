-- Grants, as the difference from what the object is born with: by default for its kind and owner,
-- or as its extension or initdb left it (pg_init_privs). So a null ACL and a written default are
-- the same, and an object of the system shows only when somebody changed its grants.
WITH place (oid, name) AS (
  SELECT s.oid, s.name FROM space s UNION ALL SELECT 11, 'pg_catalog'
),
object (class, oid, sub, key, kind, owner, acl) AS (
  SELECT 'pg_namespace'::regclass, n.oid, 0, 'schema ' || s.name, 'n'::"char", n.nspowner, n.nspacl
    FROM place s JOIN pg_namespace n ON n.oid = s.oid
  UNION ALL
  SELECT 'pg_class'::regclass, c.oid, 0,
         CASE c.relkind WHEN 'S' THEN 'sequence ' WHEN 'v' THEN 'view '
                        WHEN 'm' THEN 'materialised view ' ELSE 'table ' END
         || s.name || '.' || quote_ident(c.relname),
         CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner, c.relacl
    FROM pg_class c JOIN place s ON s.oid = c.relnamespace
   WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S')
  UNION ALL
  -- Of columns only those that initdb or an extension granted something on: the others come along
  -- with their tables, because to look for them here is to read all columns a second time.
  SELECT i.classoid, i.objoid, i.objsubid,
         'column ' || s.name || '.' || quote_ident(c.relname) || '.' || quote_ident(a.attname),
         'c'::"char", c.relowner, coalesce(a.attacl, '{}')
    FROM pg_init_privs i JOIN pg_class c ON c.oid = i.objoid
    JOIN pg_attribute a ON a.attrelid = i.objoid AND a.attnum = i.objsubid
    JOIN place s ON s.oid = c.relnamespace
   WHERE i.classoid = 'pg_class'::regclass AND i.objsubid <> 0
  UNION ALL
  SELECT 'pg_proc'::regclass, p.oid, 0,
         CASE p.prokind WHEN 'p' THEN 'procedure ' WHEN 'a' THEN 'aggregate ' ELSE 'function ' END
         || s.name || '.' || quote_ident(p.proname) || '(' || oidvectortypes(p.proargtypes) || ')',
         'f'::"char", p.proowner, p.proacl
    FROM pg_proc p JOIN place s ON s.oid = p.pronamespace
  UNION ALL
  SELECT 'pg_type'::regclass, t.oid, 0, 'type ' || s.name || '.' || quote_ident(t.typname),
         'T'::"char", t.typowner, t.typacl
    FROM pg_type t JOIN place s ON s.oid = t.typnamespace
  UNION ALL
  SELECT 'pg_language'::regclass, l.oid, 0, 'language ' || quote_ident(l.lanname),
         'l'::"char", l.lanowner, l.lanacl
    FROM pg_language l
  UNION ALL
  SELECT 'pg_foreign_data_wrapper'::regclass, w.oid, 0,
         'foreign-data wrapper ' || quote_ident(w.fdwname), 'F'::"char", w.fdwowner, w.fdwacl
    FROM pg_foreign_data_wrapper w
  UNION ALL
  SELECT 'pg_foreign_server'::regclass, f.oid, 0, 'server ' || quote_ident(f.srvname),
         'S'::"char", f.srvowner, f.srvacl
    FROM pg_foreign_server f
),
granted (key, owner, acl, base) AS (
  SELECT 'grants on ' || o.key, o.owner,
         coalesce(o.acl, acldefault(o.kind, o.owner)),
         coalesce(i.initprivs, acldefault(o.kind, o.owner))
    FROM object o
    LEFT JOIN pg_init_privs i ON i.classoid = o.class AND i.objoid = o.oid AND i.objsubid = o.sub
   WHERE o.acl IS NOT NULL OR i.initprivs IS NOT NULL
  UNION ALL
  SELECT 'default grants of ' || quote_ident(pg_get_userbyid(a.defaclrole))
         || coalesce(' in schema ' || s.name, '') || ' on '
         || CASE a.defaclobjtype WHEN 'r' THEN 'tables' WHEN 'S' THEN 'sequences'
                                 WHEN 'f' THEN 'functions' WHEN 'T' THEN 'types'
                                 WHEN 'n' THEN 'schemas' WHEN 'L' THEN 'large objects'
                                 ELSE a.defaclobjtype::text END,
         a.defaclrole, a.defaclacl,
         CASE WHEN s.oid IS NULL
              THEN acldefault(CASE a.defaclobjtype WHEN 'S' THEN 's' ELSE a.defaclobjtype END,
                              a.defaclrole) END
    FROM pg_default_acl a LEFT JOIN space s ON s.oid = a.defaclnamespace
   WHERE a.defaclnamespace = 0 OR s.oid IS NOT NULL
),
changed (key, owner, more, less) AS (
  SELECT g.key, g.owner,
         ARRAY(SELECT x FROM unnest(g.acl) x WHERE (x = ANY (g.base)) IS NOT TRUE),
         ARRAY(SELECT x FROM unnest(g.base) x WHERE NOT (x = ANY (g.acl)))
    FROM granted g
)
SELECT c.key,
       (SELECT string_agg(entry, E'\n' ORDER BY entry COLLATE "C") FROM (
          SELECT CASE WHEN count(*) FILTER (WHERE less) > 0 THEN 'without ' ELSE '' END || entry
            FROM (SELECT less,
                   /* entry c.owner */
                    FROM (SELECT x, false FROM unnest(c.more) x
                          UNION ALL SELECT x, true FROM unnest(c.less) x) AS y (item, less)
                   CROSS JOIN LATERAL aclexplode(ARRAY[item]) g) AS e (less, entry)
           GROUP BY entry HAVING count(*) = 1) AS f (entry))
  FROM changed c
 WHERE c.more <> '{}' OR c.less <> '{}'
