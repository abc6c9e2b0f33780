-- Enums (labels in order), domains, composite types, ranges, base types and shells, with owners.
-- Array and multirange types come and go with theirs.
SELECT v.key, v.definition
  FROM (SELECT * FROM pg_type t
         WHERE (t.typtype IN ('e', 'd', 'r', 'b') OR t.typtype = 'p' AND NOT t.typisdefined
                OR t.typrelid IN (SELECT c.oid FROM pg_class c WHERE c.relkind = 'c'))
           AND t.oid NOT IN (SELECT e.typarray FROM pg_type e WHERE e.typarray <> 0)) AS t
  JOIN space n ON n.oid = t.typnamespace
  LEFT JOIN pg_range r ON r.rngtypid = t.oid
  LEFT JOIN pg_type b ON b.oid = t.typbasetype
 CROSS JOIN LATERAL (
   SELECT 'type ' || n.name || '.' || quote_ident(t.typname),
    CASE
      WHEN NOT t.typisdefined THEN 'shell'
      WHEN t.typtype = 'e' THEN 'enum ' || coalesce(
        (SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder)
           FROM pg_enum e WHERE e.enumtypid = t.oid), '')
      WHEN t.typtype = 'd' THEN concat_ws(E'\n', 'domain ' || format_type(t.typbasetype, t.typtypmod),
        (SELECT 'collate ' || quote_ident(cn.nspname) || '.' || quote_ident(co.collname)
           FROM pg_collation co JOIN pg_namespace cn ON cn.oid = co.collnamespace
          WHERE co.oid = t.typcollation AND b.typcollation <> t.typcollation),
        CASE WHEN t.typnotnull THEN 'not null' END,
        'default ' || coalesce(pg_get_expr(t.typdefaultbin, 0), quote_literal(t.typdefault)))
      WHEN t.typtype = 'c' THEN concat_ws(E'\n', 'composite',
        (SELECT string_agg(
                  quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod)
                  || coalesce(' collate ' || quote_ident(cn.nspname) || '.'
                              || quote_ident(co.collname), ''), E'\n' ORDER BY a.attnum)
           FROM pg_attribute a
           JOIN pg_type x ON x.oid = a.atttypid
           LEFT JOIN pg_collation co ON co.oid = a.attcollation AND a.attcollation <> x.typcollation
           LEFT JOIN pg_namespace cn ON cn.oid = co.collnamespace
          WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped))
      WHEN t.typtype = 'r' THEN concat_ws(E'\n', 'range',
        'subtype ' || format_type(r.rngsubtype, NULL),
        'multirange ' || format_type(r.rngmultitypid, NULL),    -- from 14
        (SELECT 'subtype_opclass ' || quote_ident(on_.nspname) || '.' || quote_ident(o.opcname)
           FROM pg_opclass o JOIN pg_namespace on_ ON on_.oid = o.opcnamespace
          WHERE o.oid = r.rngsubopc AND NOT o.opcdefault),
        (SELECT 'collation ' || quote_ident(cn.nspname) || '.' || quote_ident(co.collname)
           FROM pg_collation co JOIN pg_namespace cn ON cn.oid = co.collnamespace
           JOIN pg_type s ON s.oid = r.rngsubtype
          WHERE co.oid = r.rngcollation AND r.rngcollation <> s.typcollation),
        CASE WHEN r.rngcanonical <> 0 THEN 'canonical ' || r.rngcanonical END,
        CASE WHEN r.rngsubdiff <> 0 THEN 'subtype_diff ' || r.rngsubdiff END)
      ELSE concat_ws(E'\n', 'base',
        'input ' || t.typinput, 'output ' || t.typoutput,
        CASE WHEN t.typreceive <> 0 THEN 'receive ' || t.typreceive END,
        CASE WHEN t.typsend <> 0 THEN 'send ' || t.typsend END,
        CASE WHEN t.typmodin <> 0 THEN 'typmod_in ' || t.typmodin END,
        CASE WHEN t.typmodout <> 0 THEN 'typmod_out ' || t.typmodout END,
        CASE WHEN t.typanalyze <> 0 THEN 'analyze ' || t.typanalyze END,
        CASE WHEN t.typsubscript <> 0 THEN 'subscript ' || t.typsubscript END,    -- from 14
        'internallength ' || t.typlen, CASE WHEN t.typbyval THEN 'passedbyvalue' END,
        'alignment ' || t.typalign::text, 'storage ' || t.typstorage::text, 'category ' || t.typcategory::text,
        CASE WHEN t.typispreferred THEN 'preferred' END, 'delimiter ' || t.typdelim::text,
        CASE WHEN t.typelem <> 0 THEN 'element ' || format_type(t.typelem, NULL) END,
        CASE WHEN t.typcollation <> 0 THEN 'collatable' END,
        'default ' || coalesce(pg_get_expr(t.typdefaultbin, 0), quote_literal(t.typdefault))) END
   UNION ALL SELECT 'owner of type ' || n.name || '.' || quote_ident(t.typname),
    quote_ident(pg_get_userbyid(t.typowner))) AS v (key, definition)
 WHERE NOT EXISTS (SELECT FROM member m WHERE m.class = 'pg_type'::regclass AND m.oid = t.oid)
