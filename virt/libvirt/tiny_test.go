package libvirt

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"decenter/virt"
	"decenter/virt/qcow2"
)

// TestARealGuestFromItsSpacesuitToItsEnd is the whole way with the real image and the real store: import, create,
// define, start; the agent appears; the guest powers off when asked; nothing is left.
func TestARealGuestFromItsSpacesuitToItsEnd(t *testing.T) {
	image := os.Getenv("DECENTER_TINY")
	if image == "" {
		image = "../../.build/tiny.qcow2"
	}
	if _, err := os.Stat(image); err != nil {
		t.Skipf("SKIP: the guest image is not built: %v", err)
	}
	h := newHost(t)
	d, _ := h.driver()
	ctx := context.Background()
	store, err := qcow2.Open(filepath.Join(h.dir, "store"), time.Now)
	must(t, err)
	defer store.Close()
	t0 := time.Now()
	_, err = store.Import(ctx, "tiny", virt.Image{Path: image, Format: virt.QCOW2}, nil)
	must(t, err)
	t.Logf("import %v", time.Since(t0))
	events := d.Watch(t.Context())

	// libvirt learns what QEMU can do on the first guest; the second one shows the time that counts.
	var s virt.Spec
	for i := range 3 {
		t0 = time.Now()
		s = create(t, h, store, i)
		t1 := time.Now()
		must(t, d.Define(ctx, s))
		t2 := time.Now()
		must(t, d.Start(ctx, s.ID))
		t3 := time.Now()
		t.Logf("guest %d: disk %v, define %v, start %v, create to running %v", i+1, t1.Sub(t0), t2.Sub(t1), t3.Sub(t2), t3.Sub(t0))
		if i < 2 {
			must(t, d.Kill(ctx, s.ID))
			must(t, d.Undefine(ctx, s.ID))
			must(t, store.Delete(ctx, s.ID))
		}
	}
	con, err := d.Console(ctx, s.ID)
	must(t, err)
	defer con.Close()
	until(t, con, "DECENTER-GUEST-UP")
	t.Logf("start to the guest's line %v", time.Since(t0))
	waitForAgent(t, d, events, s.ID)
	t.Logf("start to the agent %v", time.Since(t0))
	addresses, err := d.Addresses(ctx, s.ID)
	t.Logf("addresses %v, %v", addresses, err)

	t0 = time.Now()
	must(t, d.Stop(ctx, s.ID, time.Minute))
	t.Logf("stop %v", time.Since(t0))
	if g, err := d.Get(ctx, s.ID); err != nil || g.Reason != "powered off" {
		t.Errorf("the guest did not power off by itself: %+v, %v", g, err)
	}
	must(t, d.Undefine(ctx, s.ID))
	must(t, store.Delete(ctx, s.ID))
	assertNothingLeft(t, h, d)
}

func create(t *testing.T, h *host, store *qcow2.Store, n int) virt.Spec {
	t.Helper()
	id, err := virt.NewID(rand.Reader)
	must(t, err)
	disks, err := store.Create(context.Background(), id, "tiny", 0)
	must(t, err)
	s := spec()
	s.ID, s.Name, s.CPU, s.Memory, s.RAM, s.Disks = id, fmt.Sprintf("tiny-%d", n), 1, 192<<20, virt.RAMPrivate, disks
	return s
}

func waitForAgent(t *testing.T, d *Driver, events <-chan virt.Event, id virt.ID) {
	t.Helper()
	for timer := time.After(time.Minute); ; {
		if g, err := d.Get(t.Context(), id); err == nil && g.Agent {
			return
		}
		select {
		case <-events:
		case <-timer:
			t.Fatal("no agent in a minute")
		}
	}
}
