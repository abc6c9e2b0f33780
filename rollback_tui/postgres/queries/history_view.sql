-- The view over our own table in the target: what tools for analysis like. Made only when somebody
-- asks for it (`history view --create`); names are qualified, for whoever pastes it has a
-- search_path of their own. ONLY: a table that inherits from ours could hold rows of its own.
CREATE OR REPLACE VIEW rollback_tui.history AS
SELECT r.run,
       pg_catalog.left(r.run::pg_catalog.text, 8) AS short_id,
       r.inserted_at,
       pg_catalog.timezone('UTC', r.inserted_at)::pg_catalog.date AS day,
       pg_catalog.date_trunc('month', pg_catalog.timezone('UTC', r.inserted_at))::pg_catalog.date
         AS month,
       r.operator,
       r.tool_version,
       r.versions,
       pg_catalog.cardinality(r.versions) AS versions_count,
       pg_catalog.array_to_string(r.versions, ', ') AS versions_text,
       r.versions[1] AS first_version,
       r.plan_sha256,
       r.statements_done IS NULL AS one_transaction,
       r.statements_done,
       -- Whatever somebody wrote into the table, the view can be read.
       CASE WHEN r.journal_head OPERATOR(pg_catalog.~) '^[0-9]{1,9}:'
            THEN pg_catalog.split_part(r.journal_head, ':', 1)::pg_catalog.int4 END AS journal_line,
       pg_catalog.split_part(r.journal_head, ':', 2) AS journal_sha256
  FROM ONLY rollback_tui.runs r
