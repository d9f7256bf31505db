package libvirt

import (
	"context"
	"testing"

	"decenter/virt"
)

func TestASlowReaderLosesEventsAndIsToldAndHoldsNobodyUp(t *testing.T) {
	h := newHub()
	ctx, cancel := context.WithCancel(t.Context())
	slow, fast := h.watch(ctx), h.watch(ctx)
	const sent = 10 * watchQueue
	got := 0
	for i := range sent {
		h.publish(virt.Event{Kind: virt.EventState, ID: virt.ID{byte(i), byte(i >> 8)}})
		if (<-fast).Kind == virt.EventState {
			got++
		}
	}
	if got != sent {
		t.Errorf("the fast reader got %d of %d", got, sent)
	}
	for range watchQueue - 1 {
		if e := <-slow; e.Kind != virt.EventState {
			t.Fatalf("too early: %+v", e)
		}
	}
	if e := <-slow; e.Kind != virt.EventSync {
		t.Errorf("in place of the lost ones: %+v", e)
	}
	h.publish(virt.Event{Kind: virt.EventGone})
	if a, b := <-slow, <-slow; a.Kind != virt.EventSync || b.Kind != virt.EventGone {
		t.Errorf("after the loss: %v, %v", a.Kind, b.Kind)
	}
	cancel()
	for range fast { // ends, since it is closed
	}
}
