-- Tables of every kind, with their owners.
SELECT v.key, v.definition
  FROM pg_class c
  JOIN space n ON n.oid = c.relnamespace
  LEFT JOIN (SELECT i.inhrelid, string_agg(i.inhparent::regclass::text, ', ' ORDER BY i.inhseqno)
               FROM pg_inherits i GROUP BY i.inhrelid) AS heir (oid, parents) ON heir.oid = c.oid
  LEFT JOIN pg_am am ON am.oid = c.relam AND am.amname <> 'heap'
  LEFT JOIN pg_tablespace s ON s.oid = c.reltablespace
  LEFT JOIN pg_class toast ON toast.oid = c.reltoastrelid AND toast.reloptions IS NOT NULL
  LEFT JOIN pg_index x ON c.relreplident = 'i' AND x.indrelid = c.oid AND x.indisreplident
  LEFT JOIN pg_foreign_table f ON f.ftrelid = c.oid
  LEFT JOIN pg_foreign_server fs ON fs.oid = f.ftserver
 CROSS JOIN LATERAL (
   SELECT 'table ' || n.name || '.' || quote_ident(c.relname),
    -- Most tables have nothing to say, and to put nothing together takes its time.
    CASE WHEN c.relkind = 'r' AND c.relpersistence = 'p' AND c.relreplident = 'd'
          AND c.reloptions IS NULL AND toast.oid IS NULL AND heir.oid IS NULL AND c.reloftype = 0
          AND am.oid IS NULL AND s.oid IS NULL AND NOT c.relrowsecurity
          AND NOT c.relforcerowsecurity THEN '' ELSE concat_ws(E'\n',
      CASE c.relkind WHEN 'f' THEN 'foreign' WHEN 'p' THEN 'partitioned' END,
      CASE WHEN c.relpersistence = 'u' THEN 'unlogged' END,
      CASE WHEN c.relkind = 'p' THEN 'partition by ' || pg_get_partkeydef(c.oid) END,
      CASE WHEN c.relispartition
           THEN 'partition of ' || heir.parents || ' ' || pg_get_expr(c.relpartbound, c.oid)
           ELSE 'inherits ' || heir.parents END,
      CASE WHEN c.reloftype <> 0 THEN 'of ' || format_type(c.reloftype, NULL) END,
      'access method ' || quote_ident(am.amname),
      'tablespace ' || quote_ident(s.spcname),
      CASE WHEN c.relrowsecurity THEN 'row level security enabled' END,
      CASE WHEN c.relforcerowsecurity THEN 'row level security forced' END,
      CASE c.relreplident WHEN 'n' THEN CASE WHEN c.relkind <> 'f' THEN 'replica identity nothing' END
                          WHEN 'f' THEN 'replica identity full'
                          WHEN 'i' THEN 'replica identity using index '
                                        || coalesce(x.indexrelid::regclass::text, 'that is gone') END,
      CASE WHEN c.reloptions IS NOT NULL THEN
        'with (' || (SELECT string_agg(o, ', ' ORDER BY o COLLATE "C")
                       FROM unnest(c.reloptions) o) || ')' END,
      CASE WHEN toast.reloptions IS NOT NULL THEN
        'with (' || (SELECT string_agg('toast.' || o, ', ' ORDER BY o COLLATE "C")
                       FROM unnest(toast.reloptions) o) || ')' END,
      'server ' || quote_ident(fs.srvname),
      'options ' || (/* hashed f.ftoptions */)) END
   UNION ALL SELECT 'owner of table ' || n.name || '.' || quote_ident(c.relname),
    quote_ident(pg_get_userbyid(c.relowner))) AS v (key, definition)
 WHERE c.relkind IN ('r', 'p', 'f') AND c.relpersistence <> 't'
   AND NOT EXISTS (SELECT FROM member m WHERE m.class = 'pg_class'::regclass AND m.oid = c.oid)
