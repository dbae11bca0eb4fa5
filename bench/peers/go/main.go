// A consumer of billing commands as one writes it in Go: goroutines that each take a command
// through its locks, its transaction and its events, on pooled connections.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"sync"
	"syscall"

	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	commandQueue = "billing"
	consumerName = "go"
	// Deliveries per worker: the next one is there when it is done with one.
	prefetchPerWorker = 2
)

func main() {
	workers := flag.Int("workers", 10, "goroutines that handle commands")
	connections := flag.Int("connections", 10, "connections to PostgreSQL at most")
	shared := flag.String("shared", "", "directory of the statements and scripts")
	flag.Parse()
	if err := run(*workers, *connections, *shared); err != nil {
		log.Fatal("go: ", err)
	}
}

func run(workers, connections int, shared string) error {
	ctx := context.Background()
	store, err := openStore(ctx, os.Getenv("IQ_STORE_URL"), shared, connections)
	if err != nil {
		return err
	}
	defer store.pool.Close()
	locks, err := openLocks(os.Getenv("IQ_LOCKS_URL"), shared, workers)
	if err != nil {
		return err
	}
	defer locks.pool.Close()

	// A broker that is short of memory stops connections that publish, acks on them included.
	consuming, err := amqp.Dial(os.Getenv("IQ_BROKER_URL"))
	if err != nil {
		return err
	}
	defer consuming.Close()
	publishing, err := amqp.Dial(os.Getenv("IQ_BROKER_URL"))
	if err != nil {
		return err
	}
	defer publishing.Close()
	channel, err := consuming.Channel()
	if err != nil {
		return err
	}
	if err = channel.Qos(workers*prefetchPerWorker, 0, false); err != nil {
		return err
	}
	deliveries, err := channel.Consume(commandQueue, consumerName, false, false, false, false, nil)
	if err != nil {
		return err
	}

	lost := consuming.NotifyClose(make(chan *amqp.Error, 1))
	failed := make(chan error, workers)
	var running sync.WaitGroup
	for i := 0; i < workers; i++ {
		publisher, err := newPublisher(publishing)
		if err != nil {
			return err
		}
		w := &worker{store, locks, publisher}
		running.Add(1)
		go func() {
			defer running.Done()
			if err := w.run(ctx, deliveries); err != nil {
				failed <- err
			}
		}()
	}

	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	select {
	case <-stop:
	case reason := <-lost:
		return fmt.Errorf("the broker was lost: %v", reason)
	case err := <-failed:
		return err
	}
	// The deliveries end with those that are here already.
	if err := channel.Cancel(consumerName, false); err != nil {
		return err
	}
	running.Wait()
	return channel.Close()
}
