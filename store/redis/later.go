package redis

import (
	"context"
	"errors"
	"sync"
	"time"
)

// maxLater bounds the closings that wait for Redis. One takes about 200 bytes.
const maxLater = 20_000

// The times of later: between tries, and how long Close tries.
const (
	laterPause = 100 * time.Millisecond
	lastTries  = time.Second
)

var errLater = errors.New("redis: it cannot be reached, and too many holds wait already to be closed: this one counts as used until it expires")

// later keeps the closings that Redis could not be told of, and tells them one
// after another when it can. There is a goroutine only while there are any.
type later struct {
	a       *Admission
	mu      sync.Mutex
	queue   []closing
	running bool
	closed  bool
	lost    int64
	done    chan struct{}
	idle    sync.WaitGroup
}

func (l *later) init(a *Admission) {
	l.a, l.done = a, make(chan struct{})
}

func (l *later) add(c closing) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || len(l.queue) >= maxLater {
		l.lost++
		return errLater
	}
	l.queue = append(l.queue, c)
	if !l.running {
		l.running = true
		l.idle.Go(l.work)
	}
	return nil
}

// next is the first in the queue. Without one the worker ends.
func (l *later) next() (closing, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) == 0 {
		l.running, l.queue = false, nil
		return closing{}, false
	}
	return l.queue[0], true
}

func (l *later) told() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queue[0] = closing{}
	l.queue = l.queue[1:]
}

func (l *later) work() {
	for {
		c, ok := l.next()
		if !ok {
			return
		}
		if l.try(c) {
			l.told()
			continue
		}
		select {
		case <-l.done:
			return
		case <-time.After(laterPause):
		}
	}
}

func (l *later) try(c closing) bool {
	ctx, cancel := context.WithTimeout(context.Background(), l.a.options.Timeout)
	defer cancel()
	return l.a.enter(ctx) == nil && l.a.tell(ctx, c) == nil
}

// close waits a moment for the queue to empty.
func (l *later) close() {
	l.mu.Lock()
	again := l.closed
	l.closed = true
	l.mu.Unlock()
	if again {
		return
	}
	empty := make(chan struct{})
	go func() { l.idle.Wait(); close(empty) }()
	select {
	case <-empty:
	case <-time.After(lastTries):
	}
	close(l.done)
	<-empty
}

// state is how many wait, and how many were given up.
func (l *later) state() (waiting int, lost int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.queue), l.lost
}
