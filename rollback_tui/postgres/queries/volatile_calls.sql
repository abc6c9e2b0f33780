-- For each (schema or NULL, name): whether nothing of that name is in sight, and whether one of
-- those in sight is volatile. Overloads are taken together: which one is meant, only the server's
-- own analysis would tell.
SELECT w.place, w.operator, count(f.volatility) = 0, coalesce(bool_or(f.volatility = 'v'), false)
  FROM unnest(%(schemas)s::text[], %(names)s::text[], %(operators)s::bool[])
       WITH ORDINALITY AS w(schema, name, operator, place)
  LEFT JOIN LATERAL (
    -- An aggregate is never volatile by itself: what it is made of may be.
    SELECT CASE WHEN EXISTS (
             SELECT FROM pg_aggregate a JOIN pg_proc part ON part.oid IN
                    (a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggmtransfn, a.aggmfinalfn)
              WHERE p.prokind = 'a' AND a.aggfnoid = p.oid AND part.provolatile = 'v')
           THEN 'v' ELSE p.provolatile END AS volatility
      FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
     WHERE NOT w.operator AND p.proname = w.name
       AND CASE WHEN w.schema IS NULL THEN pg_function_is_visible(p.oid) ELSE n.nspname = w.schema END
    UNION ALL
    SELECT p.provolatile
      FROM pg_operator o JOIN pg_proc p ON p.oid = o.oprcode
      JOIN pg_namespace n ON n.oid = o.oprnamespace
     WHERE w.operator AND o.oprname = w.name
       AND CASE WHEN w.schema IS NULL THEN pg_operator_is_visible(o.oid) ELSE n.nspname = w.schema END
  ) f ON true
 GROUP BY w.place, w.operator
 ORDER BY w.place
