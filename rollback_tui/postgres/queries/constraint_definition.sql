-- What is not validated yet: its definition, as ADD CONSTRAINT would have it. `type` is that of the
-- column of a domain's constraint.
SELECT pg_get_constraintdef(k.oid)
  FROM pg_constraint k
 WHERE k.conname = %(name)s AND NOT k.convalidated
   AND CASE WHEN %(domain)s THEN k.contypid = to_regtype(%(of)s)::oid
            ELSE k.conrelid = to_regclass(%(of)s)::oid END
