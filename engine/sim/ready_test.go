package sim

import "testing"

// needsUnicast skips while the core gives no tables.
func needsUnicast(t *testing.T) {
	w := newWorld(Blank(1, "ring 3"), Options{})
	w.start()
	w.run(2 * w.s.Warm)
	if w.probe() != nil {
		t.Skip("the core gives no unicast tables yet")
	}
}
