-- The table of the example plugin large_movements; sums are in thousandths. PostgreSQL and SQLite.
CREATE TABLE IF NOT EXISTS large_movement (
  event_id varchar(36) PRIMARY KEY,
  event varchar(255) NOT NULL,
  user_id bigint NOT NULL,
  sum bigint NOT NULL,
  noted_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP
);
