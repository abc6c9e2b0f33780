-- Views, materialised views and sequences, with their owners. Whether a materialised view holds
-- data is not its schema. A sequence behind an identity column has the table's owner, always. The
-- column that it belongs to is left to the reader, who has them all, by its number.
WITH owned (oid, kind, owner, place) AS MATERIALIZED (
  SELECT d.objid, d.deptype, d.refobjid, d.refobjsubid
    FROM pg_depend d
   WHERE d.classid = 'pg_class'::regclass AND d.objsubid = 0 AND d.deptype IN ('a', 'i')
     AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0
     AND d.objid IN (SELECT q.seqrelid FROM pg_sequence q)
)
SELECT v.key, '', NULL::oid, NULL::int[], v.definition, NULL, 0::oid
  FROM pg_class c
  JOIN space n ON n.oid = c.relnamespace
  LEFT JOIN pg_am am ON am.oid = c.relam AND am.amname <> 'heap'
  LEFT JOIN pg_tablespace s ON s.oid = c.reltablespace
  LEFT JOIN pg_class toast ON toast.oid = c.reltoastrelid AND toast.reloptions IS NOT NULL
 CROSS JOIN LATERAL (
   SELECT CASE c.relkind WHEN 'v' THEN 'view ' ELSE 'materialised view ' END
    || n.name || '.' || quote_ident(c.relname),
    concat_ws(E'\n-- ', pg_get_viewdef(c.oid),
      'using ' || quote_ident(am.amname),
      'tablespace ' || quote_ident(s.spcname),
      CASE WHEN c.reloptions IS NOT NULL THEN
        'with (' || (SELECT string_agg(o, ', ' ORDER BY o COLLATE "C")
                       FROM unnest(c.reloptions) o) || ')' END,
      CASE WHEN toast.reloptions IS NOT NULL THEN
        'with (' || (SELECT string_agg('toast.' || o, ', ' ORDER BY o COLLATE "C")
                       FROM unnest(toast.reloptions) o) || ')' END)
   UNION ALL SELECT 'owner of ' || CASE c.relkind WHEN 'v' THEN 'view ' ELSE 'materialised view ' END
    || n.name || '.' || quote_ident(c.relname),
    quote_ident(pg_get_userbyid(c.relowner))) AS v (key, definition)
 WHERE c.relkind IN ('v', 'm') AND c.relpersistence <> 't'
   AND NOT EXISTS (SELECT FROM member m WHERE m.class = 'pg_class'::regclass AND m.oid = c.oid)
UNION ALL
SELECT v.key, v.before, v.relation, v.numbers, v.definition, NULL, 0
  FROM pg_sequence q
  JOIN pg_class c ON c.oid = q.seqrelid
  JOIN space n ON n.oid = c.relnamespace
  LEFT JOIN owned o ON o.oid = c.oid
  LEFT JOIN (SELECT t.oid, t.relname, t.relnamespace FROM pg_class t
              WHERE t.relkind IN ('r', 'p', 'f')) AS t ON t.oid = o.owner
  LEFT JOIN pg_namespace tn ON tn.oid = t.relnamespace
  LEFT JOIN space listed ON listed.oid = t.relnamespace
 CROSS JOIN LATERAL (SELECT CASE WHEN listed.oid IS NOT NULL THEN o.owner END) AS ts (owner)
 CROSS JOIN LATERAL (
   SELECT 'sequence ' || n.name || '.' || quote_ident(c.relname),
          CASE WHEN c.relpersistence = 'u' THEN E'unlogged\nas ' ELSE 'as ' END
          || format_type(q.seqtypid, NULL)
          || CASE WHEN q.seqstart = 1 AND q.seqincrement = 1 AND q.seqmin = 1
                  THEN E'\nstart 1\nincrement 1\nminvalue 1'
                  ELSE E'\nstart ' || q.seqstart || E'\nincrement ' || q.seqincrement
                       || E'\nminvalue ' || q.seqmin END
          || E'\nmaxvalue ' || q.seqmax || E'\ncache ' || q.seqcache
          || CASE WHEN q.seqcycle THEN E'\ncycle' ELSE '' END
          || CASE WHEN o.oid IS NULL THEN '' ELSE
               CASE o.kind WHEN 'a' THEN E'\nowned by ' ELSE E'\nidentity of ' END
               || quote_ident(tn.nspname) || '.' || quote_ident(t.relname) || '.' END,
          ts.owner,
          CASE WHEN ts.owner IS NOT NULL THEN ARRAY[o.place] END,
          CASE WHEN o.oid IS NULL OR ts.owner IS NOT NULL THEN '' ELSE
            (SELECT quote_ident(a.attname) FROM pg_attribute a
              WHERE a.attrelid = o.owner AND a.attnum = o.place) END
   UNION ALL
   SELECT 'owner of sequence ' || n.name || '.' || quote_ident(c.relname), '', NULL, NULL,
          quote_ident(pg_get_userbyid(c.relowner))
    WHERE o.kind IS DISTINCT FROM 'i') AS v (key, before, relation, numbers, definition)
 WHERE c.relpersistence <> 't'
   AND NOT EXISTS (SELECT FROM member m WHERE m.class = 'pg_class'::regclass AND m.oid = c.oid)
   AND NOT EXISTS (SELECT FROM member m WHERE m.class = 'pg_class'::regclass AND m.oid = o.owner)
