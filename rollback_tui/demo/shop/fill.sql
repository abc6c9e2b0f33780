-- The shop's data as of six applied migrations: about 199,000 rows in about a second.
-- Run with session_replication_role = replica: every reference is right by construction
-- (a test joins each of them), so no foreign key needs 200,000 look-ups.

INSERT INTO categories (parent_id, name)
SELECT CASE WHEN n > 6 THEN 1 + n % 6 END, 'Category ' || n FROM generate_series(1, 24) n;

INSERT INTO "größen" VALUES
    ('XS', 62), ('S', 66), ('M', 70), ('L', 74), ('XL', 78), ('XXL', 82), ('Maß', 70), ('ß½', 35.5);

INSERT INTO products (category_id, "größe", name, status, price, created_at, updated_at)
SELECT 1 + n % 24, (ARRAY['XS', 'S', 'M', 'L', 'XL', 'XXL', 'Maß', 'ß½'])[1 + n % 8],
    (ARRAY['Hemd', 'Mütze', 'Scarf', 'Jacket', 'Søkker', 'Gilet'])[1 + n % 6] || ' № ' || n,
    (CASE n % 11 WHEN 0 THEN 'discontinued' WHEN 1 THEN 'draft' ELSE 'active' END)::product_status,
    round((5 + (n * 37 % 9500) / 100.0)::numeric, 2), at, at
FROM generate_series(1, 2000) n,
    LATERAL (SELECT timestamptz '2023-09-12 08:00+00' + n * interval '7 minutes' AS at) created;

INSERT INTO users (email, full_name, newsletter, created_at, last_seen_at)
SELECT 'user' || n || '@example.com',
    (ARRAY['Ana', 'Björn', 'Chloé', 'Đorđe', 'Eve', 'Fatma', '玲', 'Zoë'])[1 + n % 8] || ' '
        || (ARRAY['Müller', 'O''Neill', 'Smith', 'Nuñez', 'Łukasik'])[1 + n % 5],
    n % 3 = 0, at, CASE WHEN n % 4 > 0 THEN at + (n % 40) * interval '1 day' END
FROM generate_series(1, 12000) n,
    LATERAL (SELECT timestamptz '2023-09-20 06:00+00' + n * interval '13 minutes' AS at) created;

INSERT INTO addresses (user_id, street, city, country)
SELECT 1 + (n - 1) % 12000, 'Straße ' || n % 300,
    (ARRAY['Köln', 'Paris', 'Kraków', 'Málaga', 'Malmö'])[1 + n % 5],
    (ARRAY['DE', 'FR', 'PL', 'ES', 'SE'])[1 + n % 5]
FROM generate_series(1, 14000) n;

INSERT INTO orders (user_id, status, placed_at, updated_at)
SELECT 1 + n * 7 % 12000,
    (CASE WHEN n % 30 < 26 THEN CASE WHEN n % 2 = 0 THEN 'shipped' ELSE 'paid' END
        WHEN n % 30 = 29 THEN 'cancelled' ELSE 'open' END)::order_status, at, at
FROM generate_series(1, 30000) n,
    LATERAL (SELECT timestamptz '2023-10-01 07:00+00' + n * interval '5 minutes' AS at) placed;

INSERT INTO order_items (order_id, line, product_id, quantity, unit_price)
SELECT o, line, 1 + (o * 3 + line * 11) % 2000, 1 + (o + line) % 4,
    round((5 + (((1 + (o * 3 + line * 11) % 2000) * 37) % 9500) / 100.0)::numeric, 2)
FROM generate_series(1, 30000) o, generate_series(1, 2) line;

INSERT INTO payments (order_id, amount, paid_at)
SELECT n, 10 + n % 400, timestamptz '2023-10-01 08:00+00' + n * interval '5 minutes'
FROM generate_series(1, 30000) n WHERE n % 30 < 26;

INSERT INTO warehouses VALUES (1, 'Köln'), (2, 'Łódź'), (3, 'Malmö');

INSERT INTO stock (warehouse_id, product_id, quantity, updated_at)
SELECT w, p, 200 + (p * w) % 900, timestamptz '2024-01-14 22:00+00'
FROM generate_series(1, 3) w, generate_series(1, 2000) p;

INSERT INTO sessions (user_id, started_at, seen_at)
SELECT 1 + n * 11 % 12000, at, at + interval '20 minutes'
FROM generate_series(1, 5000) n,
    LATERAL (SELECT timestamptz '2024-01-10 00:00+00' + n * interval '1 minute' AS at) started;

INSERT INTO page_views (viewed_at, product_id, user_id, referrer)
SELECT timestamptz '2023-11-01 00:00+00' + n * interval '2.6 minutes', 1 + n * 13 % 2000,
    CASE WHEN n % 3 > 0 THEN 1 + n % 12000 END,
    CASE n % 4 WHEN 0 THEN 'https://search.example/?q=mütze' END
FROM generate_series(1, 40000) n;

INSERT INTO "Order Notes" (order_id, "Text", written_at)
SELECT n * 7, 'Leave it with the neighbour, please – door № ' || n % 90, '2024-01-02 09:00+00'
FROM generate_series(1, 4000) n;

UPDATE orders SET status = 'refunded', refunded_at = placed_at + interval '9 days'
WHERE status = 'cancelled' AND id % 8 = 5;

REFRESH MATERIALIZED VIEW reporting.daily_revenue;
