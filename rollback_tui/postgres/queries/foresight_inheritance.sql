-- Partitions and heirs, tables and indexes: (below, above).
SELECT i.inhrelid, i.inhparent FROM pg_inherits i ORDER BY i.inhparent, i.inhseqno, i.inhrelid
