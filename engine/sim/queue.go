package sim

import "time"

// kind says what an event is.
type kind uint8

const (
	evAction  kind = iota // a: index into the schedule's actions
	evData                // a frame of a host arrives at end a; ref: packet, b: carrier epoch
	evRaw                 // an engine's or a switch's frame arrives at end a; ref: slot, b: carrier epoch
	evTick                // the engine of satellite a wants Tick; ref: its timer
	evLinks               // the engine of satellite a is told of its links; ref: the satellite's boot
	evSecond              // switch a lets a second pass
	evThaw                // the engine of satellite a goes on
	evStart               // the engine of satellite a starts
	evArrive              // the VM that is host a goes on at its new satellite
	evLearned             // the engine of satellite a is told what was learned at its edges; ref: the satellite's boot
)

// event is something that happens. Events of one time happen in the order in which they were made.
type event struct {
	at     time.Duration
	serial uint64
	kind   kind
	flags  uint8
	a, b   int32
	ref    int32
}

func (e *event) before(o *event) bool { return e.at < o.at || e.at == o.at && e.serial < o.serial }

// queue is a heap of four children per parent: flatter than the usual one, and without boxing.
type queue struct {
	heap   []event
	serial uint64
}

func (q *queue) push(e event) {
	q.serial++
	e.serial = q.serial
	q.heap = append(q.heap, e)
	h, i := q.heap, len(q.heap)-1
	for i > 0 {
		up := (i - 1) / 4
		if !e.before(&h[up]) {
			break
		}
		h[i] = h[up]
		i = up
	}
	h[i] = e
}

func (q *queue) pop() event {
	h := q.heap
	first, last := h[0], h[len(h)-1]
	h = h[:len(h)-1]
	q.heap = h
	if len(h) == 0 {
		return first
	}
	i := 0
	for {
		least, from := i, 4*i+1
		bound := &last
		for c := from; c < min(from+4, len(h)); c++ {
			if h[c].before(bound) {
				least, bound = c, &h[c]
			}
		}
		if least == i {
			break
		}
		h[i] = h[least]
		i = least
	}
	h[i] = last
	return first
}
