-- The types of some names, wherever they are; and those they are made of, if asked for by oid.
-- A domain is constrained when it, or one it is built on, has a CHECK or NOT NULL.
SELECT t.oid, n.nspname, t.typname, t.typtype::text, t.typbasetype, t.typtypmod, t.typarray,
       CASE WHEN t.typcategory = 'A' THEN t.typelem ELSE 0 END, t.typcollation,
       CASE WHEN t.typmodin = 0 THEN '' ELSE t.typmodin::text END,
       t.typtype = 'd' AND (t.typnotnull OR EXISTS (SELECT FROM pg_constraint k
                                                     WHERE k.contypid = t.oid))
  FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
 WHERE t.typname = ANY (%(names)s::text[]) OR t.oid = ANY (%(oids)s::oid[])
