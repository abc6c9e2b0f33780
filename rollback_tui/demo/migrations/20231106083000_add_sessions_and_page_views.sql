-- migrate:up
CREATE TABLE sessions (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    started_at timestamptz NOT NULL DEFAULT now(),
    seen_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX sessions_user_idx ON sessions (user_id);

CREATE TABLE page_views (
    viewed_at timestamptz NOT NULL DEFAULT now(),
    product_id integer NOT NULL,
    user_id bigint,
    referrer text
) PARTITION BY RANGE (viewed_at);
CREATE TABLE page_views_2023_11 PARTITION OF page_views
    FOR VALUES FROM ('2023-11-01 00:00+00') TO ('2023-12-01 00:00+00');
CREATE TABLE page_views_2023_12 PARTITION OF page_views
    FOR VALUES FROM ('2023-12-01 00:00+00') TO ('2024-01-01 00:00+00');
CREATE TABLE page_views_2024_01 PARTITION OF page_views
    FOR VALUES FROM ('2024-01-01 00:00+00') TO ('2024-02-01 00:00+00');
CREATE TABLE page_views_later PARTITION OF page_views DEFAULT;
CREATE INDEX page_views_product_idx ON page_views (product_id, viewed_at);

-- migrate:down
DROP TABLE page_views;
DROP TABLE sessions;
