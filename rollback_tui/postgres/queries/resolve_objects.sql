-- The addresses (catalog, object, column) of objects named as in statements, each with its place in
-- the given lists, looked up with the session's search_path. For a part of a table (column,
-- constraint, trigger …) the last word of the name is the part and the words before are the table.
-- CASE keeps each look-up from names it would refuse to read: a WHERE would not.
WITH named AS (
  SELECT u.kind, u.name, u.place,
         CASE WHEN u.kind IN ('column', 'constraint', 'trigger', 'policy', 'rule', 'default',
                              'schema', 'extension')
              THEN parse_ident(u.name) END AS words
    FROM unnest(%(kinds)s::text[], %(names)s::text[]) WITH ORDINALITY AS u(kind, name, place)
), part AS MATERIALIZED (
  SELECT n.place, n.kind, n.words[array_upper(n.words, 1)] AS last,
         CASE WHEN array_length(n.words, 1) > 1 THEN
           to_regclass((SELECT string_agg(quote_ident(w), '.' ORDER BY place)
                          FROM unnest(n.words) WITH ORDINALITY AS u(w, place)
                         WHERE place < array_upper(n.words, 1))) END AS relation,
         CASE WHEN n.kind = 'relation' THEN to_regclass(n.name)::oid
              WHEN n.kind = 'type' THEN to_regtype(n.name)::oid
              WHEN n.kind = 'function' AND position('(' IN n.name) > 0
                THEN to_regprocedure(n.name)::oid
              WHEN n.kind = 'function' THEN to_regproc(n.name)::oid END AS whole
    FROM named n
)
SELECT place, CASE kind WHEN 'relation' THEN 'pg_class' WHEN 'type' THEN 'pg_type'
                 ELSE 'pg_proc' END::regclass::oid, whole, 0
  FROM part WHERE whole IS NOT NULL
UNION ALL
SELECT place, 'pg_class'::regclass, a.attrelid, a.attnum
  FROM part JOIN pg_attribute a ON a.attrelid = relation AND a.attname = last
 WHERE kind = 'column' AND NOT a.attisdropped
UNION ALL
SELECT place, 'pg_attrdef'::regclass, d.oid, 0
  FROM part JOIN pg_attribute a ON a.attrelid = relation AND a.attname = last
  JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
 WHERE kind = 'default'
UNION ALL
SELECT place, 'pg_constraint'::regclass, k.oid, 0
  FROM part JOIN pg_constraint k ON k.conrelid = relation AND k.conname = last
 WHERE kind = 'constraint'
UNION ALL
SELECT place, 'pg_trigger'::regclass, t.oid, 0
  FROM part JOIN pg_trigger t ON t.tgrelid = relation AND t.tgname = last
 WHERE kind = 'trigger'
UNION ALL
SELECT place, 'pg_policy'::regclass, p.oid, 0
  FROM part JOIN pg_policy p ON p.polrelid = relation AND p.polname = last
 WHERE kind = 'policy'
UNION ALL
SELECT place, 'pg_rewrite'::regclass, r.oid, 0
  FROM part JOIN pg_rewrite r ON r.ev_class = relation AND r.rulename = last
 WHERE kind = 'rule'
UNION ALL
SELECT place, 'pg_namespace'::regclass, n.oid, 0
  FROM part JOIN pg_namespace n ON n.nspname = last
 WHERE kind = 'schema'
UNION ALL
SELECT place, 'pg_extension'::regclass, e.oid, 0
  FROM part JOIN pg_extension e ON e.extname = last
 WHERE kind = 'extension'
