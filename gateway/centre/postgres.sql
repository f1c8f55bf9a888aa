CREATE SCHEMA IF NOT EXISTS gateway;

-- One row a segment: what was decoded of it stands below it, once, whatever is sent or written again.
CREATE TABLE IF NOT EXISTS gateway.segment (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, gateway text NOT NULL,
    epoch bytea NOT NULL, stream text NOT NULL, sequence bigint NOT NULL,
    boot_id bytea NOT NULL, readings integer NOT NULL, arrived timestamptz NOT NULL,
    clock text, uncertainty_ms integer,          -- 'trusted', 'meter' (provisional), NULL: not placed yet
    UNIQUE (gateway, epoch, stream, sequence)
);
CREATE INDEX IF NOT EXISTS segment_to_place ON gateway.segment (gateway, boot_id) WHERE clock IS DISTINCT FROM 'trusted';

CREATE TABLE IF NOT EXISTS gateway.channel (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, gateway text NOT NULL,
    stream text NOT NULL, name text NOT NULL, device text NOT NULL,
    quantity text NOT NULL, unit text NOT NULL, obis text, phase integer,
    UNIQUE (gateway, stream, name)
);

CREATE TABLE IF NOT EXISTS gateway.sample (
    channel integer NOT NULL REFERENCES gateway.channel,
    segment bigint NOT NULL REFERENCES gateway.segment ON DELETE CASCADE,
    boot_ms bigint NOT NULL, utc timestamptz, value numeric, text text, state smallint NOT NULL
);
CREATE INDEX IF NOT EXISTS sample_by_time ON gateway.sample (channel, utc);
CREATE INDEX IF NOT EXISTS sample_by_segment ON gateway.sample (segment);

-- Each reading that was read. What was not read has no row.
CREATE OR REPLACE VIEW gateway.reading AS
SELECT channel.gateway, channel.stream, channel.name AS channel, segment.boot_id, sample.boot_ms, sample.utc,
       segment.clock, segment.uncertainty_ms, sample.value, sample.text, channel.unit,
       CASE sample.state WHEN 0 THEN 'ok' WHEN 1 THEN 'estimated' ELSE 'suspect' END AS state
FROM gateway.sample
JOIN gateway.channel ON channel.id = sample.channel
JOIN gateway.segment ON segment.id = sample.segment;

-- Where nothing was read of a channel for longer than docs/missing-data.md lets pass; ask with gateway, stream, channel.
CREATE OR REPLACE VIEW gateway.gap AS
SELECT channel.gateway, channel.stream, channel.name AS channel, told.utc AS begins, told.utc + told.distance AS ends
FROM (
    SELECT near.channel, near.utc, near.distance,
           min(near.distance) FILTER (WHERE near.distance > interval '0') OVER (PARTITION BY near.channel) AS shortest
    FROM (
        SELECT sample.channel, sample.utc,
               lead(sample.utc) OVER (PARTITION BY sample.channel ORDER BY sample.utc) - sample.utc AS distance
        FROM gateway.sample WHERE sample.utc IS NOT NULL
    ) AS near
) AS told
JOIN gateway.channel ON channel.id = told.channel
WHERE told.distance > greatest(
    CASE WHEN split_part(channel.stream, '.', 1) = 'index' THEN interval '20 minutes' ELSE interval '3 minutes' END,
    3 * told.shortest);

-- What a gateway told to be gone for good: no row of it will come.
CREATE TABLE IF NOT EXISTS gateway.dropped (gateway text NOT NULL,
    epoch bytea NOT NULL, stream text NOT NULL, first bigint NOT NULL, last bigint NOT NULL,
    readings bigint, reason text NOT NULL,       -- NULL: a damaged card does not tell
    PRIMARY KEY (gateway, epoch, stream, first, last)
);

CREATE TABLE IF NOT EXISTS gateway.clock (gateway text NOT NULL,
    boot_id bytea NOT NULL, boot_ms bigint NOT NULL, source text NOT NULL,
    utc timestamptz NOT NULL, uncertainty_ms bigint NOT NULL, PRIMARY KEY (gateway, boot_id, boot_ms, source)
);

CREATE TABLE IF NOT EXISTS gateway.alarm (gateway text NOT NULL,
    epoch bytea NOT NULL, stream text NOT NULL, sequence bigint NOT NULL,
    kind text NOT NULL, text text NOT NULL, boot_ms bigint NOT NULL, utc timestamptz, arrived timestamptz NOT NULL,
    PRIMARY KEY (gateway, epoch, stream, sequence)
);

-- How far each store of a centre has been written here: in the transaction of what was written.
CREATE TABLE IF NOT EXISTS gateway.progress (
    store text PRIMARY KEY, message bigint NOT NULL, alarm bigint NOT NULL, dropped bigint NOT NULL
);
