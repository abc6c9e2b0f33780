-- Code of users that a statement runs without anything in it saying so: (what, table, word).
--   call      a function of this name, which may be a namesake of PostgreSQL's own
--   extension a volatile function in C, of an extension, of this name
--   field     a function by the notation "row.function"
--   operator  an operator of this name
--   type      a cast to a type of this name: by the rules of a domain, or by its own function
--   insert    rows inserted into the table: by a default
--   write     rows inserted into or updated in the table: by a rule, or by a column of such a type
-- What is declared immutable changes nothing (the server sees to it) and reads, one trusts, nothing.
WITH RECURSIVE own (oid) AS (
  SELECT p.oid FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
   WHERE p.oid >= 16384 AND p.provolatile <> 'i' AND l.lanname NOT IN ('internal', 'c')
  UNION
  SELECT a.aggfnoid::oid FROM pg_aggregate a JOIN own ON own.oid IN (
         a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggmtransfn, a.aggmfinalfn)
), ruled (oid, relation, type) AS (
  SELECT k.oid, k.conrelid, k.contypid FROM pg_constraint k
    JOIN pg_depend d ON d.classid = 'pg_constraint'::regclass AND d.objid = k.oid
     AND d.refclassid = 'pg_proc'::regclass
    JOIN own ON own.oid = d.refobjid
   WHERE k.contype = 'c'
), wild (oid) AS (
  SELECT type FROM ruled WHERE type <> 0
  UNION
  SELECT up.oid FROM wild, LATERAL (
    SELECT t.oid FROM pg_type t WHERE t.typbasetype = wild.oid OR t.typelem = wild.oid
    UNION ALL
    SELECT c.reltype FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
     WHERE c.relkind = 'c' AND a.atttypid = wild.oid AND a.attnum > 0 AND NOT a.attisdropped
  ) up (oid)
)
SELECT 'call', NULL::oid, p.proname::text FROM own JOIN pg_proc p ON p.oid = own.oid
UNION
SELECT 'field', NULL, p.proname FROM own JOIN pg_proc p ON p.oid = own.oid
  JOIN pg_type t ON t.oid = p.proargtypes[0]
 WHERE p.pronargs >= 1 AND p.pronargs - p.pronargdefaults <= 1 AND p.prokind = 'f'
   AND (t.typtype = 'c' OR t.typname IN ('record', 'anyelement', 'anycompatible'))
UNION
SELECT 'operator', NULL, o.oprname FROM own JOIN pg_operator o ON o.oprcode = own.oid
UNION
SELECT 'type', NULL, t.typname FROM wild JOIN pg_type t ON t.oid = wild.oid
UNION
SELECT 'type', NULL, t.typname FROM own JOIN pg_cast k ON k.castfunc = own.oid
  JOIN pg_type t ON t.oid = k.casttarget
UNION
SELECT CASE WHEN a.attgenerated = '' THEN 'insert' ELSE 'write' END, f.adrelid, NULL
  FROM own JOIN pg_depend d ON d.refclassid = 'pg_proc'::regclass AND d.refobjid = own.oid
   AND d.classid = 'pg_attrdef'::regclass
  JOIN pg_attrdef f ON f.oid = d.objid
  JOIN pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum
UNION
SELECT 'write', relation, NULL FROM ruled WHERE relation <> 0
UNION
SELECT 'write', a.attrelid, NULL FROM wild JOIN pg_attribute a ON a.atttypid = wild.oid
 WHERE a.attnum > 0 AND NOT a.attisdropped
UNION
SELECT 'extension', NULL, p.proname FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
 WHERE p.oid >= 16384 AND p.provolatile = 'v' AND l.lanname = 'c' AND p.prokind IN ('f', 'p')
