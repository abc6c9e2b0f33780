-- Columns of tables, in order, with what decides whether and how they are read: names of types that
-- a value's text may depend on; reg… types, whose text follows what they name; generated columns.
SELECT a.attrelid, a.attnum, quote_ident(a.attname), a.attname::text, a.atttypid, a.atttypmod,
       a.attgenerated <> '', t.typname ~ '^reg' AND tn.nspname = 'pg_catalog',
       ARRAY(SELECT quote_ident(n.nspname) || '.' || quote_ident(y.typname)
               FROM pg_type y JOIN pg_namespace n ON n.oid = y.typnamespace
              WHERE y.oid IN (t.oid, t.typelem, t.typbasetype) AND n.nspname <> 'pg_catalog'),
       c.relhassubclass AND c.relkind <> 'p'
  FROM pg_attribute a
  JOIN pg_class c ON c.oid = a.attrelid
  JOIN pg_type t ON t.oid = a.atttypid
  JOIN pg_namespace tn ON tn.oid = t.typnamespace
 WHERE a.attrelid = ANY (%(oids)s::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY a.attrelid, a.attnum
