-- Foreign keys of user tables, ready to be checked by an anti-join.
-- PostgreSQL 13 to 17.
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) || '.' || quote_ident(k.conname),
       quote_ident(n.nspname) || '.' || quote_ident(c.relname),
       array_agg(quote_ident(a.attname) ORDER BY p.place),
       quote_ident(rn.nspname) || '.' || quote_ident(r.relname),
       array_agg(quote_ident(b.attname) ORDER BY p.place),
       array_agg(quote_ident(os.nspname) || '.' || o.oprname ORDER BY p.place),
       array_agg(CASE WHEN a.attcollation <> b.attcollation
                      THEN coalesce((SELECT quote_ident(cn.nspname) || '.' || quote_ident(co.collname)
                                       FROM pg_collation co
                                       JOIN pg_namespace cn ON cn.oid = co.collnamespace
                                      WHERE co.oid = b.attcollation), '')
                      ELSE '' END ORDER BY p.place),
       k.confmatchtype = 'f',
       c.relkind <> 'p', r.relkind <> 'p',
       CASE WHEN NOT k.convalidated THEN 'NOT VALID' ELSE '' END
  FROM pg_constraint k
  JOIN pg_class c ON c.oid = k.conrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_class r ON r.oid = k.confrelid
  JOIN pg_namespace rn ON rn.oid = r.relnamespace
 CROSS JOIN LATERAL unnest(k.conkey, k.confkey, k.conpfeqop)
       WITH ORDINALITY AS p(own, other, operator, place)
  JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = p.own
  JOIN pg_attribute b ON b.attrelid = k.confrelid AND b.attnum = p.other
  JOIN pg_operator o ON o.oid = p.operator
  JOIN pg_namespace os ON os.oid = o.oprnamespace
 WHERE k.contype = 'f' AND k.conparentid = 0
   AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
   AND n.nspname <> 'rollback_tui'
   AND n.nspname <> ALL (ARRAY(/* schemas of archives */))
 GROUP BY k.oid, k.conname, k.confmatchtype, k.convalidated,  -- the key is none for 13
          n.nspname, c.relname, c.relkind, rn.nspname, r.relname, r.relkind
 ORDER BY 1
