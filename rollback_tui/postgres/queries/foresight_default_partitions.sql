-- Partitioned tables that have a default partition: (table, partition).
SELECT p.partrelid, p.partdefid FROM pg_partitioned_table p WHERE p.partdefid <> 0
