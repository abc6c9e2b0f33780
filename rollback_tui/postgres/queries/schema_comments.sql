-- Comments on anything that a user made (user objects have an OID of 16384 or more).
SELECT 'comment on ' || i.type || ' ' || i.identity, d.description
  FROM pg_description d
 CROSS JOIN LATERAL pg_identify_object(d.classoid, d.objoid, d.objsubid) i
 WHERE d.objoid >= 16384 AND i.identity IS NOT NULL
   AND coalesce(i.schema, '') <> ALL (%(exclude)s::text[] || ARRAY(/* schemas of archives */)::text[])
   AND NOT (i.type = 'schema' AND i.name = ANY (%(exclude)s::text[] || ARRAY(/* schemas of archives */)::text[]))
   AND NOT EXISTS (SELECT FROM pg_depend x WHERE x.classid = d.classoid
                      AND x.objid = d.objoid AND x.deptype = 'e')
