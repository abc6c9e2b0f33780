-- Indexes that no constraint owns, and extended statistics. pg_dump leaves an invalid index out.
-- A plain B-tree index is written down here as pg_get_indexdef does (a test compares the two), three
-- times as fast: one column in its own collation, with the default operator class, ascending.
WITH usual (oid, type) AS MATERIALIZED (
  -- Of each type its own default operator class; varchar has none, and takes that of text.
  SELECT o.oid, o.opcintype FROM pg_opclass o WHERE o.opcdefault AND o.opcmethod = 403
  UNION ALL
  SELECT o.oid, 1043 FROM pg_opclass o
   WHERE o.opcdefault AND o.opcmethod = 403 AND o.opcintype = 25
     AND NOT EXISTS (SELECT FROM pg_opclass v WHERE v.opcdefault AND v.opcmethod = 403
                        AND v.opcintype = 1043)
)
SELECT 'index ' || n.name || '.' || quote_ident(i.relname),
       concat_ws(E'\n-- ',
         coalesce(
           CASE WHEN x.indnatts = 1 AND x.indexprs IS NULL AND x.indpred IS NULL
                 AND x.indoption[0] = 0 AND i.relkind = 'i' AND i.reloptions IS NULL
                 AND NOT x.indnullsnotdistinct    -- from 15
                THEN
             'CREATE ' || CASE WHEN x.indisunique THEN 'UNIQUE ' ELSE '' END || 'INDEX '
             || quote_ident(i.relname) || ' ON ' || tn.name || '.' || quote_ident(t.relname)
             || ' USING btree ('
             || CASE WHEN a.attcollation = x.indcollation[0]
                          AND (x.indclass[0], a.atttypid) IN (SELECT u.oid, u.type FROM usual u)
                     THEN quote_ident(a.attname) END
             || ')' END,
           pg_get_indexdef(x.indexrelid)),
         CASE WHEN NOT x.indisvalid THEN 'invalid' END,
         CASE WHEN x.indisclustered THEN 'clustered' END,
         'tablespace ' || quote_ident(s.spcname),
         'partition of ' || h.inhparent::regclass::text,
         CASE WHEN x.indexprs IS NOT NULL THEN
           (SELECT string_agg('statistics of ' || a.attnum || ' ' || a.attstattarget, E'\n-- '
                              ORDER BY a.attnum)
              FROM pg_attribute a WHERE a.attrelid = i.oid AND a.attstattarget >= 0) END)
  FROM (SELECT * FROM pg_index x
         WHERE NOT EXISTS (SELECT FROM pg_constraint k
                            WHERE k.conindid = x.indexrelid AND k.contype IN ('p', 'u', 'x'))
       ) AS x
  JOIN (SELECT * FROM pg_class i WHERE i.relkind IN ('i', 'I')) AS i ON i.oid = x.indexrelid
  JOIN space n ON n.oid = i.relnamespace
  JOIN pg_class t ON t.oid = x.indrelid
  JOIN space tn ON tn.oid = t.relnamespace
  LEFT JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = x.indkey[0]
  LEFT JOIN pg_tablespace s ON s.oid = i.reltablespace
  LEFT JOIN pg_inherits h ON h.inhrelid = i.oid
 WHERE i.relpersistence <> 't'
   AND NOT EXISTS (SELECT FROM member m WHERE m.class = 'pg_class'::regclass AND m.oid = x.indrelid)
   AND NOT EXISTS (SELECT FROM member m WHERE m.class = 'pg_class'::regclass
                      AND m.oid = x.indexrelid)
UNION ALL
SELECT v.key, v.definition
  FROM pg_statistic_ext s
  JOIN space n ON n.oid = s.stxnamespace
  JOIN pg_class c ON c.oid = s.stxrelid AND c.relpersistence <> 't'
 CROSS JOIN LATERAL (
   SELECT 'statistics ' || n.name || '.' || quote_ident(s.stxname),
    concat_ws(E'\n-- ', pg_get_statisticsobjdef(s.oid),
              CASE WHEN s.stxstattarget >= 0 THEN 'statistics ' || s.stxstattarget END)
   UNION ALL SELECT 'owner of statistics ' || n.name || '.' || quote_ident(s.stxname),
    quote_ident(pg_get_userbyid(s.stxowner))) AS v (key, definition)
 WHERE NOT EXISTS (SELECT FROM member m WHERE m.class = 'pg_statistic_ext'::regclass
                      AND m.oid = s.oid)
