-- Constraints of tables and domains. From 18 on NOT NULL is a constraint too: a plain one is
-- already in the column's definition, and is skipped.
SELECT 'constraint ' || quote_ident(n.nspname) || '.' || quote_ident(coalesce(c.relname, t.typname))
                     || '.' || quote_ident(k.conname),
       concat_ws(' ', pg_get_constraintdef(k.oid),
                 CASE WHEN NOT k.convalidated AND pg_get_constraintdef(k.oid) !~ 'NOT VALID'
                      THEN 'not validated' END,
                 CASE WHEN NOT k.conislocal THEN 'inherited' END)
  FROM pg_constraint k
  JOIN pg_namespace n ON n.oid = k.connamespace
  LEFT JOIN pg_class c ON c.oid = k.conrelid
  LEFT JOIN pg_type t ON t.oid = k.contypid
 WHERE coalesce(c.relname, t.typname) IS NOT NULL AND k.contype <> 't'
   AND (k.contype <> 'n' OR NOT k.convalidated OR k.connoinherit OR k.contypid <> 0)
   AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
   AND n.nspname <> ALL (%(exclude)s::text[] || ARRAY(/* schemas of archives */)::text[])
   AND NOT EXISTS (SELECT FROM pg_depend x WHERE x.deptype = 'e' AND
                     ((x.classid = 'pg_class'::regclass AND x.objid = k.conrelid) OR
                      (x.classid = 'pg_type'::regclass AND x.objid = k.contypid)))
