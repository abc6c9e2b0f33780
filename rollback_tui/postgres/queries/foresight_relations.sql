-- Every relation of users' schemas (also sequences, indexes and composite types).
SELECT c.oid, n.nspname, c.relname, c.relkind, c.relpersistence, c.relispartition, c.relowner,
       c.relhastriggers AND EXISTS (SELECT FROM pg_trigger t
                                     WHERE t.tgrelid = c.oid AND NOT t.tgisinternal),
       c.relhasrules AND EXISTS (SELECT FROM pg_rewrite r
                                  WHERE r.ev_class = c.oid AND r.rulename <> '_RETURN'),
       c.reltype, c.reloftype, c.relam, c.reltablespace,
       c.relkind IN ('i', 'I')
         AND EXISTS (SELECT FROM pg_index i WHERE i.indexrelid = c.oid AND i.indisclustered)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'i', 'I', 'c')
   AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
 ORDER BY n.nspname, c.relname
