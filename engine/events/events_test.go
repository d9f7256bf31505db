package events

import (
	"testing"
	"time"

	"decenter/engine/api"
)

func TestSlowReaderIsToldThatItMissedSomething(t *testing.T) {
	b := New(time.Now)
	slow, stop, err := b.Subscribe()
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	for range 3 * Backlog { // must not block
		b.Publish(api.Event{Kind: api.EventVM})
	}
	lost := 0
	read := 0
	for len(slow) > 0 {
		if e := <-slow; e.Kind == api.EventLost {
			lost++
		}
		read++
		if read == Backlog-1 {
			b.Publish(api.Event{Kind: api.EventVM}) // there is room again: the notice comes first
		}
	}
	if lost != 1 {
		t.Errorf("told %d times of the loss, want once", lost)
	}
}

// TestALossIsToldWithoutAFurtherEvent: who waits for the end of a job must not wait for ever because that end was dropped.
func TestALossIsToldWithoutAFurtherEvent(t *testing.T) {
	b := New(time.Now)
	slow, stop, err := b.Subscribe()
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	for range 2 * Backlog {
		b.Publish(api.Event{Kind: api.EventVM})
	}
	last := api.Event{}
	for len(slow) > 0 {
		last = <-slow
	}
	if last.Kind != api.EventLost {
		t.Errorf("the last thing told is %q", last.Kind)
	}
	b.Publish(api.Event{Kind: api.EventJob})
	if len(slow) != 1 || (<-slow).Kind != api.EventJob {
		t.Error("what comes after the loss is not told")
	}
}

func TestReadersAreBounded(t *testing.T) {
	b := New(time.Now)
	for range MaxReaders {
		if _, _, err := b.Subscribe(); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := b.Subscribe(); api.CodeOf(err) != api.CodeExhausted {
		t.Errorf("one more reader: %v", err)
	}
}
