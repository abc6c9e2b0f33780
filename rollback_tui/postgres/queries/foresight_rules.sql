-- Events for which a relation has rules: (relation, 2 UPDATE, 3 INSERT or 4 DELETE).
SELECT r.ev_class, r.ev_type::text FROM pg_rewrite r
 WHERE r.ev_type IN ('2', '3', '4') AND r.ev_enabled IN ('O', 'A')
