-- Enums (labels in order), domains, composite types, ranges and base types.
SELECT 'type ' || quote_ident(n.nspname) || '.' || quote_ident(t.typname),
       CASE t.typtype
         WHEN 'e' THEN 'enum ' || coalesce(
           (SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder)
              FROM pg_enum e WHERE e.enumtypid = t.oid), '')
         WHEN 'd' THEN concat_ws(' ', 'domain', format_type(t.typbasetype, t.typtypmod),
           CASE WHEN t.typnotnull THEN 'not null' END, 'default ' || t.typdefault,
           (SELECT format('collate %%I.%%I', cn.nspname, co.collname)
              FROM pg_collation co JOIN pg_namespace cn ON cn.oid = co.collnamespace
              JOIN pg_type b ON b.oid = t.typbasetype
             WHERE co.oid = t.typcollation AND b.typcollation <> t.typcollation))
         WHEN 'c' THEN 'composite ' || coalesce(
           (SELECT string_agg(format('%%I %%s', a.attname, format_type(a.atttypid, a.atttypmod)),
                              ', ' ORDER BY a.attnum)
              FROM pg_attribute a
             WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped), '')
         WHEN 'r' THEN 'range ' || (SELECT format_type(r.rngsubtype, NULL)
                                      FROM pg_range r WHERE r.rngtypid = t.oid)
         WHEN 'm' THEN 'multirange'
         ELSE format('base %%s %%s', t.typlen, t.typcategory) END
  FROM pg_type t
  JOIN pg_namespace n ON n.oid = t.typnamespace
  LEFT JOIN pg_class c ON c.oid = t.typrelid
 WHERE (t.typtype <> 'c' OR c.relkind = 'c') AND t.typtype <> 'p'
   -- Array types come and go with their element type.
   AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = t.oid)
   AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
   AND n.nspname <> ALL (%(exclude)s::text[] || ARRAY(/* schemas of archives */)::text[])
   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_type'::regclass
                      AND d.objid = t.oid AND d.deptype = 'e')
