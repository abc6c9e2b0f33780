-- What a query may set off without a call in its text, by a word that is in it: (word, why). An
-- empty word: any query may. The rules of a domain are run by a cast to it, a cast by its target,
-- a function of one row by the notation "row.function", another server by the name of its table,
-- of what that is a partition or heir of, and of all views on them.
WITH RECURSIVE wild (oid) AS (
  SELECT k.contypid
    FROM pg_constraint k
   WHERE k.contypid <> 0
     AND (EXISTS (SELECT FROM pg_depend d JOIN pg_proc p ON p.oid = d.refobjid
                   WHERE d.classid = 'pg_constraint'::regclass AND d.objid = k.oid
                     AND d.refclassid = 'pg_proc'::regclass AND p.provolatile = 'v')
          -- No dependency is recorded on PostgreSQL's own.
          OR EXISTS (SELECT FROM pg_proc p
                      WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.provolatile = 'v'
                        AND position(p.proname || '(' IN pg_get_constraintdef(k.oid)) > 0))
  UNION
  SELECT up.oid FROM wild, LATERAL (
    SELECT t.oid FROM pg_type t WHERE t.typbasetype = wild.oid OR t.typelem = wild.oid
    UNION ALL
    SELECT c.reltype FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
     WHERE c.relkind = 'c' AND a.atttypid = wild.oid AND a.attnum > 0 AND NOT a.attisdropped
  ) up (oid)
), away (oid) AS (
  SELECT c.oid FROM pg_class c WHERE c.relkind = 'f'
  UNION
  SELECT up.oid FROM away, LATERAL (
    SELECT i.inhparent FROM pg_inherits i WHERE i.inhrelid = away.oid
    UNION ALL
    SELECT w.ev_class FROM pg_depend d JOIN pg_rewrite w ON w.oid = d.objid
     WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = away.oid
       AND d.classid = 'pg_rewrite'::regclass
  ) up (oid)
)
SELECT t.typname::text, 'the rules of ' || format_type(t.oid, NULL) || ' call a volatile function'
  FROM wild JOIN pg_type t ON t.oid = wild.oid
UNION ALL
SELECT CASE WHEN k.castcontext = 'i' THEN '' ELSE t.typname END,
       'the cast to ' || format_type(t.oid, NULL) || ' is a volatile function'
  FROM pg_cast k JOIN pg_type t ON t.oid = k.casttarget JOIN pg_proc p ON p.oid = k.castfunc
 WHERE p.provolatile = 'v' AND p.pronamespace <> 'pg_catalog'::regnamespace
UNION ALL
SELECT p.proname, 'the function ' || quote_ident(p.proname) || ' is volatile'
  FROM pg_proc p JOIN pg_type t ON t.oid = p.proargtypes[0]
 WHERE p.provolatile = 'v' AND p.prokind = 'f' AND p.pronamespace <> 'pg_catalog'::regnamespace
   AND p.pronargs >= 1 AND p.pronargs - p.pronargdefaults <= 1
   AND (t.typtype = 'c' OR t.typname IN ('record', 'anyelement', 'anycompatible'))
UNION ALL
SELECT c.relname, 'that would ask the server of a foreign table'
  FROM away JOIN pg_class c ON c.oid = away.oid AND c.relkind <> 'm'
