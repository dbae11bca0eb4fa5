package main

import (
	"context"
	"math/rand"
	"os"
	"path/filepath"
	"time"

	"github.com/gomodule/redigo/redis"
)

const (
	lockLease   = 30 * time.Second
	lockPause   = time.Millisecond
	lockPauses  = 5 // The longest pause is lockPause << lockPauses.
	lockPatient = 2 * time.Second
)

// locks are keys in Redis that expire; the value tells whose they are.
type locks struct {
	pool           *redis.Pool
	take, giveBack string
}

func openLocks(url, scriptDir string, connections int) (*locks, error) {
	take, err := os.ReadFile(filepath.Join(scriptDir, "take.lua"))
	if err != nil {
		return nil, err
	}
	giveBack, err := os.ReadFile(filepath.Join(scriptDir, "give_back.lua"))
	if err != nil {
		return nil, err
	}
	pool := &redis.Pool{
		MaxActive: connections,
		MaxIdle:   connections,
		Wait:      true,
		Dial:      func() (redis.Conn, error) { return redis.DialURL(url) },
	}
	return &locks{pool, string(take), string(giveBack)}, nil
}

// acquire takes all keys together, and waits where somebody else has one. It returns the token to
// release them with, empty where it waited in vain.
func (l *locks) acquire(ctx context.Context, keys []string) (string, error) {
	conn, err := l.pool.GetContext(ctx)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	token := randomUUID().String()
	script := redis.NewScript(len(keys), l.take)
	args := redis.Args{}.AddFlat(keys).Add(token, lockLease.Milliseconds())
	deadline := time.Now().Add(lockPatient)
	for try := 0; ; try++ {
		taken, err := redis.Int(script.Do(conn, args...))
		if err != nil || taken == 1 {
			return token, err
		}
		if time.Now().After(deadline) {
			return "", nil
		}
		if try > lockPauses {
			try = lockPauses
		}
		pause := lockPause << try
		time.Sleep(pause/2 + time.Duration(rand.Int63n(int64(pause))))
	}
}

func (l *locks) release(ctx context.Context, keys []string, token string) error {
	conn, err := l.pool.GetContext(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = redis.NewScript(len(keys), l.giveBack).Do(conn, redis.Args{}.AddFlat(keys).Add(token)...)
	return err
}
