// Package events hands each change of this satellite's things to everyone who watches. A publisher never
// waits: a reader that falls behind loses events and is told so.
package events

import (
	"context"
	"sync"
	"time"

	"decenter/engine/api"
)

// The bounds: events that wait for one reader, and readers.
const (
	Backlog    = 1024
	MaxReaders = 1024
)

// Bus is the place where changes are told. The zero Bus is not usable; New makes one.
type Bus struct {
	now func() time.Time

	mu      sync.Mutex
	readers map[*reader]struct{}
}

type reader struct {
	ch   chan api.Event
	lost bool // guarded by Bus.mu: events are dropped, the notice of which is in ch
}

// New makes a bus that stamps events with now.
func New(now func() time.Time) *Bus { return &Bus{now: now, readers: map[*reader]struct{}{}} }

// Publish tells everyone of a change.
func (b *Bus) Publish(e api.Event) {
	if e.Time.IsZero() {
		e.Time = b.now().UTC()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for r := range b.readers {
		// One place is kept free for the notice, so that it is there at once: nothing may happen after the loss that
		// would bring it. A reader comes to the notice after all that was dropped.
		switch {
		case r.lost && len(r.ch) >= cap(r.ch)/2:
		case len(r.ch) < cap(r.ch)-1:
			r.ch <- e
			r.lost = false
		default:
			r.ch <- api.Event{Kind: api.EventLost, Time: e.Time}
			r.lost = true
		}
	}
}

// Subscribe gives the changes from now on; they end with stop.
func (b *Bus) Subscribe() (events <-chan api.Event, stop func(), err error) {
	r := &reader{ch: make(chan api.Event, Backlog)}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.readers) >= MaxReaders {
		return nil, nil, &api.Error{Code: api.CodeExhausted, Message: "too many watch this satellite's events", Hint: "end some consoles and try again"}
	}
	b.readers[r] = struct{}{}
	return r.ch, func() {
		b.mu.Lock()
		delete(b.readers, r)
		b.mu.Unlock()
	}, nil
}

// Each calls fn with every change until ctx ends or fn fails, whose error it returns.
func (b *Bus) Each(ctx context.Context, fn func(api.Event) error) error {
	ch, stop, err := b.Subscribe()
	if err != nil {
		return err
	}
	defer stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e := <-ch:
			if err := fn(e); err != nil {
				return err
			}
		}
	}
}
