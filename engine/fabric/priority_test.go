package fabric

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// TestAPriorityIsKept on disk as it is said, and taken back.
func TestAPriorityIsKept(t *testing.T) {
	dir := t.TempDir()
	for _, p := range []uint16{0, 50, 65535} {
		if err := keepPriority(dir, &p); err != nil {
			t.Fatal(err)
		}
		if got, err := keptPriority(dir); err != nil || got == nil || *got != p {
			t.Errorf("%d became %v, %v", p, got, err)
		}
	}
	for range 2 { // taking back what is not there is no error
		if err := keepPriority(dir, nil); err != nil {
			t.Fatal(err)
		}
		if got, err := keptPriority(dir); err != nil || got != nil {
			t.Errorf("taken back, it is %v, %v", got, err)
		}
	}
	for _, text := range []string{"", "{}", "[]", `{"priority": 65536}`, `{"priority": -1}`, `{"priority": "50"}`} {
		if err := os.WriteFile(filepath.Join(dir, priorityFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := keptPriority(dir); err == nil || got != nil {
			t.Errorf("%q is read as %v", text, got)
		}
	}
	if err := keepPriority(filepath.Join(dir, "none"), new(uint16)); err == nil {
		t.Error("a priority is kept in a folder that is not there")
	}
}

// setPriority is the part of the process satellite.
func setPriority(f *Fabric, arg string) string {
	var p *uint16
	if n, err := strconv.ParseUint(arg, 10, 16); err == nil {
		p = new(uint16(n))
	}
	r, err := f.SetPriority(context.Background(), p)
	return fmt.Sprint(r.Priority, r.Was, r.Configured, r.Set, err)
}

// TestTheRootMovesWhenAPriorityIsSet, on all satellites; a killed engine's successor holds to it, and it can be taken back.
func TestTheRootMovesWhenAPriorityIsSet(t *testing.T) {
	sats := ring(t, 3)
	sats[2].kill()
	sats[2].env = append(sats[2].env, "DATA="+t.TempDir()) // which its engine has not needed so far
	sats[2].start()
	settled(t, sats)
	rooted := func(want string) {
		t.Helper()
		var roots []string
		for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			roots = nil
			good := true
			for _, s := range sats {
				tr := s.tree()
				roots = append(roots, tr.Root)
				good = good && tr.Root == want && len(tr.Nodes) == len(sats)
			}
			if good {
				return
			}
		}
		t.Fatalf("the roots are %v, and should be %s", roots, want)
	}
	rooted(string(sats[0].ns))
	if got, want := sats[2].text("priority 50"), "50 32768 32768 true <nil>"; got != want {
		t.Errorf("setting says %s, not %s", got, want)
	}
	rooted(string(sats[2].ns))
	sats[2].kill()
	sats[2].start()
	rooted(string(sats[2].ns))
	for _, n := range sats[2].tree().Nodes {
		if own := n.Name == string(sats[2].ns); n.Set != own || own != (n.Priority == 50) {
			t.Errorf("%s has priority %d, set: %v", n.Name, n.Priority, n.Set)
		}
	}
	if got, want := sats[2].text("priority default"), "32768 50 32768 false <nil>"; got != want {
		t.Errorf("taking back says %s, not %s", got, want)
	}
	rooted(string(sats[0].ns))
}
