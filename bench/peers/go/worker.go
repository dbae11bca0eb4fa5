package main

import (
	"context"
	"errors"
	"log"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const failurePause = 100 * time.Millisecond

// worker handles one command after the other.
type worker struct {
	store     *store
	locks     *locks
	publisher *publisher
}

// run ends with the deliveries, or when the broker fails.
func (w *worker) run(ctx context.Context, deliveries <-chan amqp.Delivery) error {
	for d := range deliveries {
		v, c, err := w.decide(ctx, &d)
		if err != nil {
			// A server's failure is not the command's: it is delivered again.
			log.Printf("go: %v", err)
			time.Sleep(failurePause)
		}
		if v == nil {
			if err := d.Nack(false, true); err != nil {
				return err
			}
			continue
		}
		if err := w.publisher.publish(&d, c, v); err != nil {
			return err
		}
		if c != nil && c.token != "" {
			// While the confirms are on their way.
			if err := w.locks.release(ctx, c.held, c.token); err != nil {
				log.Printf("go: %v", err)
			}
		}
		if err := w.publisher.await(); err != nil {
			return err
		}
		if err := d.Ack(false); err != nil {
			return err
		}
	}
	return nil
}

// decide carries a command out under its locks, which it leaves held where it returns a verdict. No
// verdict: not now.
func (w *worker) decide(ctx context.Context, d *amqp.Delivery) (*verdict, *locked, error) {
	c, err := parse(d)
	var r *refusal
	if errors.As(err, &r) {
		return &verdict{Outcome: "invalid", Code: r.Code, Reason: r.Reason}, nil, nil
	}
	l := &locked{command: c, held: c.keys()}
	if l.token, err = w.locks.acquire(ctx, l.held); err != nil || l.token == "" {
		return nil, nil, err
	}
	v, err := w.store.run(ctx, c)
	if err != nil {
		w.locks.release(ctx, l.held, l.token)
		return nil, nil, err
	}
	return v, l, nil
}

// locked is a command and the locks that are held for it.
type locked struct {
	*command
	held  []string
	token string
}
