package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/jackc/pgconn"
	"github.com/jackc/pgx/v4"
	"github.com/jackc/pgx/v4/pgxpool"
)

// The statements that all peers share, by file name; prepared once per connection.
var statementNames = []string{"recall", "record", "balance", "hold", "income", "withdraw",
	"transfer", "lock_lock", "lock_withdraw", "lock_unlock"}

// store runs commands in PostgreSQL, each in a transaction of its own.
type store struct {
	pool    *pgxpool.Pool
	process string // What the journal says about who recorded a row.
	count   int64
}

func openStore(ctx context.Context, url, sqlDir string, connections int) (*store, error) {
	statements := map[string]string{}
	for _, name := range statementNames {
		text, err := os.ReadFile(filepath.Join(sqlDir, name+".sql"))
		if err != nil {
			return nil, err
		}
		statements[name] = string(text)
	}
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	config.MaxConns = int32(connections)
	config.ConnConfig.RuntimeParams["synchronous_commit"] = "on"
	// Plans are kept, and may be made while the journal is still empty.
	config.ConnConfig.RuntimeParams["enable_seqscan"] = "off"
	config.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		for name, text := range statements {
			if _, err := conn.Prepare(ctx, name, text); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		return nil
	}
	pool, err := pgxpool.ConnectConfig(ctx, config)
	return &store{pool: pool, process: randomUUID().String()}, err
}

// run decides a command, once for all: of a copy it says what was decided before. Two round trips
// where nothing is unusual. Nothing is looked up first: the journal's key tells a copy.
func (s *store) run(ctx context.Context, c *command) (*verdict, error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Release() // Closes a connection that is still in a transaction, which ends it.

	v, err := s.effect(ctx, conn.Conn(), c)
	if err != nil {
		return nil, err
	}
	err = s.record(ctx, conn.Conn(), c, v)
	var failure *pgconn.PgError
	if !errors.As(err, &failure) || failure.ConstraintName != "journal_pkey" {
		return v, err
	}
	if _, err = conn.Exec(ctx, "rollback"); err != nil {
		return nil, err
	}
	return recall(conn.QueryRow(ctx, "recall", c.UUID.String()), c)
}

// effect begins the transaction and carries the command out in it.
func (s *store) effect(ctx context.Context, conn *pgx.Conn, c *command) (*verdict, error) {
	batch := &pgx.Batch{}
	batch.Queue("begin")
	sameUser := c.Type == "transfer" && c.Payer == c.User
	switch {
	case sameUser:
	case c.Type == "transfer":
		batch.Queue("transfer", c.User, c.Sum, c.Payer)
	case c.Type == "lock":
		batch.Queue("lock_"+c.Event, c.User, c.Sum, c.Hold)
	default:
		batch.Queue(c.Type, c.User, c.Sum)
	}
	results := conn.SendBatch(ctx, batch)
	defer results.Close()

	if _, err := results.Exec(); err != nil {
		return nil, err
	}
	if sameUser {
		return rejected(c, refuse("same_user", "user %d is both payer and receiver", c.User))
	}
	var balance, payerBalance *int64
	var err error
	if c.Type == "transfer" {
		err = results.QueryRow().Scan(&balance, &payerBalance)
	} else {
		err = results.QueryRow().Scan(&balance)
	}
	switch {
	case err == nil && c.Type == "transfer" && (balance == nil || payerBalance == nil):
		return nil, errors.New("a balance changed while it was transferred")
	case err == nil:
		return done(c, balance, payerBalance)
	case err != pgx.ErrNoRows:
		return nil, err
	}
	if err = results.Close(); err != nil {
		return nil, err
	}
	reason, err := why(ctx, conn, c)
	if err != nil {
		return nil, err
	}
	return rejected(c, reason)
}

// record writes the journal row and commits. Only the tag COMMIT is a commit.
func (s *store) record(ctx context.Context, conn *pgx.Conn, c *command, v *verdict) error {
	events, err := json.Marshal(v.Events)
	if err != nil {
		return err
	}
	batch := &pgx.Batch{}
	batch.Queue("record", c.UUID.String(), c.ID, c.Type, v.Outcome, optional(v.Code),
		optional(v.Reason), string(events), c.Hash, "go/1", optional(c.CorrelationID),
		optional(c.Traceparent), s.process, atomic.AddInt64(&s.count, 1))
	batch.Queue("commit")
	results := conn.SendBatch(ctx, batch)
	defer results.Close()
	if _, err := results.Exec(); err != nil {
		return err
	}
	tag, err := results.Exec()
	if err == nil && tag.String() != "COMMIT" {
		err = fmt.Errorf("the commit ended as %s", tag)
	}
	return err
}

func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// recall reads a journal row; pgx.ErrNoRows where there is none.
func recall(row pgx.Row, c *command) (*verdict, error) {
	var v verdict
	var code, reason *string
	var events, hash string
	if err := row.Scan(&v.Outcome, &code, &reason, &events, &hash); err != nil {
		return nil, err
	}
	if hash != c.Hash {
		return &verdict{Outcome: "invalid", Code: "id_conflict",
			Reason: "another command with this id was carried out before"}, nil
	}
	if code != nil && reason != nil {
		v.Code, v.Reason = *code, *reason
	}
	return &v, json.NewDecoder(strings.NewReader(events)).Decode(&v.Events)
}

// why tells what hindered a command whose effect met no row.
func why(ctx context.Context, conn *pgx.Conn, c *command) (*refusal, error) {
	balance, err := lookUp(conn.QueryRow(ctx, "balance", c.User))
	if err != nil {
		return nil, err
	}
	switch {
	case c.Type == "transfer":
		return whyNoTransfer(ctx, conn, c, balance)
	case c.Type == "lock":
		if reason, err := whyNoHold(ctx, conn, c); reason != nil || err != nil {
			return reason, err
		}
	}
	if balance == nil {
		return refuse("unknown_user", "user %d has no balance", c.User), nil
	}
	debit := c.Type == "withdraw" || c.Event == "lock"
	if debit && *balance < c.Sum {
		return refuse("insufficient_funds", "the balance of user %d does not cover the sum",
			c.User), nil
	}
	if !debit && !fits(*balance, c.Sum) {
		return refuse("balance_overflow", "the balance of user %d would exceed 64 bits", c.User), nil
	}
	return nil, errors.New("the balance changed under its lock")
}

func whyNoTransfer(ctx context.Context, conn *pgx.Conn, c *command, receiver *int64) (*refusal,
	error) {
	payer, err := lookUp(conn.QueryRow(ctx, "balance", c.Payer))
	switch {
	case err != nil:
		return nil, err
	case payer == nil:
		return refuse("unknown_user", "the payer, user %d, has no balance", c.Payer), nil
	case receiver == nil:
		return refuse("unknown_user", "the receiver, user %d, has no balance", c.User), nil
	case *payer < c.Sum:
		return refuse("insufficient_funds", "the balance of user %d does not cover the sum",
			c.Payer), nil
	case !fits(*receiver, c.Sum):
		return refuse("balance_overflow", "the balance of user %d would exceed 64 bits", c.User), nil
	}
	return nil, errors.New("a balance changed under its lock")
}

// whyNoHold says nothing where the hold is not what hindered.
func whyNoHold(ctx context.Context, conn *pgx.Conn, c *command) (*refusal, error) {
	var user, sum int64
	err := conn.QueryRow(ctx, "hold", c.Hold).Scan(&user, &sum)
	if err != nil && err != pgx.ErrNoRows {
		return nil, err
	}
	stands := err == nil
	switch {
	case c.Event == "lock" && stands:
		return refuse("hold_exists", "a hold of this uuid stands already"), nil
	case c.Event == "lock":
		return nil, nil
	case !stands || user != c.User:
		return refuse("unknown_hold", "user %d has no hold of this uuid", c.User), nil
	case sum != c.Sum:
		return refuse("sum_mismatch", "the hold is of another sum"), nil
	case c.Event == "withdraw":
		return nil, errors.New("a hold changed under its lock")
	}
	return nil, nil
}

func lookUp(row pgx.Row) (*int64, error) {
	var sum int64
	switch err := row.Scan(&sum); err {
	case nil:
		return &sum, nil
	case pgx.ErrNoRows:
		return nil, nil
	default:
		return nil, err
	}
}
