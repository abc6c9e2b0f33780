-- Comments and security labels on anything that a user made (such objects have an OID of 16384 or
-- more), and the comment on schema public where it is not the one it is born with.
SELECT 'comment on ' || i.type || ' ' || i.identity, d.description
  FROM pg_description d
 CROSS JOIN LATERAL pg_identify_object(d.classoid, d.objoid, d.objsubid) i
 WHERE d.objoid >= 16384 AND i.identity IS NOT NULL
   AND (i.schema IS NULL OR i.schema IN (SELECT s.name FROM space s))
   AND (d.classoid <> 'pg_namespace'::regclass
        OR d.objoid IN (SELECT s.oid FROM space s) AND i.name <> 'public')
   AND NOT EXISTS (SELECT FROM member m WHERE m.class = d.classoid AND m.oid = d.objoid)
UNION ALL
SELECT 'comment on schema public', coalesce(obj_description(s.oid, 'pg_namespace'), '')
  FROM space s
 WHERE s.name = 'public'
   AND obj_description(s.oid, 'pg_namespace') IS DISTINCT FROM 'standard public schema'
UNION ALL
SELECT 'security label ' || quote_ident(l.provider) || ' on ' || i.type || ' ' || i.identity, l.label
  FROM pg_seclabel l
 CROSS JOIN LATERAL pg_identify_object(l.classoid, l.objoid, l.objsubid) i
 WHERE i.identity IS NOT NULL
   AND (i.schema IS NULL OR i.schema IN (SELECT s.name FROM space s))
   AND (l.classoid <> 'pg_namespace'::regclass OR l.objoid IN (SELECT s.oid FROM space s))
