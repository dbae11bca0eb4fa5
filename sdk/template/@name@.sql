CREATE TABLE IF NOT EXISTS @name@_visits (
  user_id bigint PRIMARY KEY,
  times   bigint NOT NULL
);
