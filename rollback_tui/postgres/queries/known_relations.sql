-- Relations as written in statements, looked up with the session's search_path. `family` is the
-- relation with all it inherits from (a partition with its partitioned tables): two relations that
-- share one share rows. `spreads`: a trigger, a rule or a foreign key may carry a change of its
-- rows on to other tables.
WITH RECURSIVE known AS (
  SELECT n.name, c.oid, c.relkind, c.relnamespace, c.relname
    FROM unnest(%(names)s::text[]) AS n(name)
    JOIN pg_class c ON c.oid = to_regclass(n.name)
), above (oid, ancestor) AS (
  SELECT oid, oid FROM known
  UNION
  SELECT a.oid, i.inhparent FROM above a JOIN pg_inherits i ON i.inhrelid = a.ancestor
), below (oid, descendant) AS (
  SELECT oid, oid FROM known
  UNION
  SELECT b.oid, i.inhrelid FROM below b JOIN pg_inherits i ON i.inhparent = b.descendant
)
SELECT k.name, k.oid, quote_ident(n.nspname) || '.' || quote_ident(k.relname),
       quote_ident(k.relname), k.relkind::text,
       (SELECT array_agg(a.ancestor) FROM above a WHERE a.oid = k.oid),
       -- The pages of the last ANALYZE: asking the size itself would wait for a lock.
       (SELECT coalesce(sum(greatest(c.relpages, 0)), 0)::bigint
          FROM below b JOIN pg_class c ON c.oid = b.descendant WHERE b.oid = k.oid),
       EXISTS (SELECT FROM below b JOIN pg_trigger t ON t.tgrelid = b.descendant
                WHERE b.oid = k.oid AND NOT t.tgisinternal AND t.tgenabled <> 'D')
       OR EXISTS (SELECT FROM below b JOIN pg_constraint f ON f.confrelid = b.descendant
                   WHERE b.oid = k.oid AND f.contype = 'f'
                     AND (f.confdeltype IN ('c', 'n', 'd') OR f.confupdtype IN ('c', 'n', 'd')))
       OR EXISTS (SELECT FROM pg_rewrite w WHERE w.ev_class = k.oid AND w.ev_type <> '1')
       OR k.relkind = 'v'
  FROM known k JOIN pg_namespace n ON n.oid = k.relnamespace
