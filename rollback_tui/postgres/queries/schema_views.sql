-- Views, materialised views and sequences, with their owners. Whether a materialised view holds
-- data is not its schema. A sequence behind an identity column has the table's owner, always.
SELECT v.key, v.definition
  FROM pg_class c
  JOIN space n ON n.oid = c.relnamespace
  LEFT JOIN pg_am am ON am.oid = c.relam AND am.amname <> 'heap'
  LEFT JOIN pg_tablespace s ON s.oid = c.reltablespace
  LEFT JOIN pg_class toast ON toast.oid = c.reltoastrelid AND toast.reloptions IS NOT NULL
 CROSS JOIN LATERAL (VALUES
   (CASE c.relkind WHEN 'v' THEN 'view ' ELSE 'materialised view ' END
    || n.name || '.' || quote_ident(c.relname),
    concat_ws(E'\n-- ', pg_get_viewdef(c.oid),
      'using ' || quote_ident(am.amname),
      'tablespace ' || quote_ident(s.spcname),
      CASE WHEN c.reloptions IS NOT NULL THEN
        'with (' || (SELECT string_agg(o, ', ' ORDER BY o COLLATE "C")
                       FROM unnest(c.reloptions) o) || ')' END,
      CASE WHEN toast.reloptions IS NOT NULL THEN
        'with (' || (SELECT string_agg('toast.' || o, ', ' ORDER BY o COLLATE "C")
                       FROM unnest(toast.reloptions) o) || ')' END)),
   ('owner of ' || CASE c.relkind WHEN 'v' THEN 'view ' ELSE 'materialised view ' END
    || n.name || '.' || quote_ident(c.relname),
    quote_ident(pg_get_userbyid(c.relowner)))) AS v (key, definition)
 WHERE c.relkind IN ('v', 'm') AND c.relpersistence <> 't'
   AND NOT EXISTS (SELECT FROM member m WHERE m.class = 'pg_class'::regclass AND m.oid = c.oid)
UNION ALL
SELECT v.key, v.definition
  FROM pg_sequence q
  JOIN pg_class c ON c.oid = q.seqrelid
  JOIN space n ON n.oid = c.relnamespace
  LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0
                       AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0
                       AND d.deptype IN ('a', 'i')
  LEFT JOIN pg_class t ON t.oid = d.refobjid
  LEFT JOIN pg_namespace tn ON tn.oid = t.relnamespace
  LEFT JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
 CROSS JOIN LATERAL (VALUES
   ('sequence ' || n.name || '.' || quote_ident(c.relname),
    concat_ws(E'\n',
      CASE WHEN c.relpersistence = 'u' THEN 'unlogged' END,
      'as ' || format_type(q.seqtypid, NULL), 'start ' || q.seqstart,
      'increment ' || q.seqincrement, 'minvalue ' || q.seqmin, 'maxvalue ' || q.seqmax,
      'cache ' || q.seqcache, CASE WHEN q.seqcycle THEN 'cycle' END,
      CASE d.deptype WHEN 'a' THEN 'owned by ' WHEN 'i' THEN 'identity of ' END
      || quote_ident(tn.nspname) || '.' || quote_ident(t.relname) || '.'
      || quote_ident(a.attname))),
   ('owner of sequence ' || n.name || '.' || quote_ident(c.relname),
    CASE WHEN d.deptype IS DISTINCT FROM 'i'
         THEN quote_ident(pg_get_userbyid(c.relowner)) END)) AS v (key, definition)
 WHERE c.relpersistence <> 't' AND v.definition IS NOT NULL
   AND NOT EXISTS (SELECT FROM member m WHERE m.class = 'pg_class'::regclass
                      AND m.oid IN (c.oid, t.oid))
