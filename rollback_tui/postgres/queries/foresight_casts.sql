-- Every cast: (from, to, its function, its method: b binary coercible, f function, i through text).
-- From a type to itself: its length coercion, which enforces a modifier such as (10).
SELECT k.castsource, k.casttarget, k.castfunc::oid, k.castmethod::text FROM pg_cast k
