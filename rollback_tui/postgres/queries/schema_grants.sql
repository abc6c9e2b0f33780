-- Owners and grants. A null ACL means the default one, so both are written out the same way.
WITH owned (class, oid, name, owner, acl) AS (
  SELECT 'pg_namespace'::regclass, n.oid, 'schema ' || quote_ident(n.nspname), n.nspowner,
         coalesce(n.nspacl, acldefault('n', n.nspowner))
    FROM pg_namespace n
   WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
     AND n.nspname <> ALL (%(exclude)s::text[] || ARRAY(/* schemas of archives */)::text[])
  UNION ALL
  SELECT 'pg_class'::regclass, c.oid,
         CASE c.relkind WHEN 'S' THEN 'sequence ' ELSE 'table ' END
         || quote_ident(n.nspname) || '.' || quote_ident(c.relname), c.relowner,
         coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char",
                                       c.relowner))
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S')
     AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
     AND n.nspname <> ALL (%(exclude)s::text[] || ARRAY(/* schemas of archives */)::text[])
  UNION ALL
  SELECT 'pg_class'::regclass, c.oid,
         'column ' || quote_ident(n.nspname) || '.' || quote_ident(c.relname) || '.'
         || quote_ident(a.attname), NULL, a.attacl
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE a.attacl IS NOT NULL AND NOT a.attisdropped
     AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
     AND n.nspname <> ALL (%(exclude)s::text[] || ARRAY(/* schemas of archives */)::text[])
  UNION ALL
  SELECT 'pg_proc'::regclass, p.oid,
         'function ' || quote_ident(n.nspname) || '.' || quote_ident(p.proname)
         || '(' || oidvectortypes(p.proargtypes) || ')', p.proowner,
         coalesce(p.proacl, acldefault('f', p.proowner))
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
   WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
     AND n.nspname <> ALL (%(exclude)s::text[] || ARRAY(/* schemas of archives */)::text[])
  UNION ALL
  SELECT 'pg_type'::regclass, t.oid,
         'type ' || quote_ident(n.nspname) || '.' || quote_ident(t.typname), t.typowner,
         coalesce(t.typacl, acldefault('T', t.typowner))
    FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
    LEFT JOIN pg_class c ON c.oid = t.typrelid
   WHERE (t.typtype IN ('e', 'd', 'r', 'b') OR c.relkind = 'c')
     AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = t.oid)
     AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
     AND n.nspname <> ALL (%(exclude)s::text[] || ARRAY(/* schemas of archives */)::text[])
)
SELECT 'grants on ' || o.name,
       concat_ws('; ', 'owner ' || quote_ident(pg_get_userbyid(o.owner)),
         (SELECT string_agg(
                   CASE WHEN g.grantee = 0 THEN 'public'
                        ELSE quote_ident(pg_get_userbyid(g.grantee)) END
                   || ' ' || g.privilege_type || CASE WHEN g.is_grantable THEN ' grantable' ELSE '' END,
                   ', ' ORDER BY g.grantee = 0 DESC, pg_get_userbyid(g.grantee), g.privilege_type)
            FROM aclexplode(o.acl) g))
  FROM owned o
 WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = o.class
                      AND d.objid = o.oid AND d.deptype IN ('e', 'i') AND o.class <> 'pg_class'::regclass)
   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = o.class
                      AND d.objid = o.oid AND d.deptype = 'e')
UNION ALL
SELECT 'default grants ' || concat_ws(' ', quote_ident(pg_get_userbyid(a.defaclrole)),
                                      quote_ident(n.nspname), a.defaclobjtype::text),
       a.defaclacl::text
  FROM pg_default_acl a LEFT JOIN pg_namespace n ON n.oid = a.defaclnamespace
