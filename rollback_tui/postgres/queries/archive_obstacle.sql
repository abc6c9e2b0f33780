-- What keeps any archive from being made: (standby, may create a schema, a publication of all
-- tables that has subscribers).
SELECT pg_is_in_recovery(), has_database_privilege(current_database(), 'CREATE'),
       (SELECT p.pubname FROM pg_publication p
         WHERE p.puballtables AND p.pubinsert
           AND EXISTS (SELECT FROM pg_replication_slots s
                        WHERE s.slot_type = 'logical' AND s.database = current_database())
         ORDER BY p.pubname LIMIT 1)
