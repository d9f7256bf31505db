package libvirt

import (
	"context"
	"sync"

	"decenter/virt"
)

// watchQueue is how many events a reader may be behind.
const watchQueue = 256

// hub hands every event to every reader and waits for none.
type hub struct {
	mu      sync.Mutex
	readers map[*reader]bool // guarded by mu
}

// reader is one Watch.
type reader struct {
	queue chan virt.Event
	lost  bool // an EventSync is owed; guarded by the hub's mu
}

func newHub() *hub { return &hub{readers: map[*reader]bool{}} }

// watch returns a channel that is closed when ctx ends.
func (h *hub) watch(ctx context.Context) <-chan virt.Event {
	r := &reader{queue: make(chan virt.Event, watchQueue)}
	h.mu.Lock()
	h.readers[r] = true
	h.mu.Unlock()
	context.AfterFunc(ctx, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.readers, r)
		close(r.queue)
	})
	return r.queue
}

// publish never blocks. A full queue loses the event, and the reader gets an EventSync as soon as there is room; one
// place is kept free for it.
func (h *hub) publish(e virt.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for r := range h.readers {
		if r.lost && len(r.queue) < cap(r.queue)/2 {
			r.queue <- virt.Event{Kind: virt.EventSync}
			r.lost = false
		}
		switch {
		case r.lost:
		case len(r.queue) < cap(r.queue)-1:
			r.queue <- e
		default:
			r.queue <- virt.Event{Kind: virt.EventSync} // in the place kept free: list anew from here on
			r.lost = true
		}
	}
}
