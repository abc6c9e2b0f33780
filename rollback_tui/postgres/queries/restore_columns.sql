-- The columns that a table has now, and what their rows have that nobody wrote since the column
-- was added: its default of then, or the one of today where that is a constant. With an empty
-- search_path.
SELECT quote_ident(a.attname) AS name, format_type(a.atttypid, a.atttypmod) AS type,
       a.attgenerated <> '' AS generated, a.attidentity = 'a' AS always_identity,
       (a.attmissingval::text::text[])[1] AS filled_with,
       CASE WHEN position('(' IN pg_get_expr(d.adbin, d.adrelid)) = 0
         THEN pg_get_expr(d.adbin, d.adrelid) END AS constant_default
  FROM pg_attribute a
  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
 WHERE a.attrelid = %(oid)s AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY a.attnum
