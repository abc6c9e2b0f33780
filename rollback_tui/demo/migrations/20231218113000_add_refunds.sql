-- migrate:up
ALTER TYPE order_status ADD VALUE IF NOT EXISTS 'refunded' AFTER 'shipped';
ALTER TABLE orders ADD COLUMN refunded_at timestamptz;
CREATE INDEX orders_refunded_idx ON orders (refunded_at) WHERE refunded_at IS NOT NULL;
-- Goodwill is paid back without an order.
ALTER TABLE payments ALTER COLUMN order_id DROP NOT NULL;

-- migrate:down
DROP INDEX orders_refunded_idx;
-- PostgreSQL cannot take a label out of an enum: 'refunded' stays.
ALTER TABLE orders DROP COLUMN refunded_at;
