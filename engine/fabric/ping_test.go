package fabric

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// begun starts a ping, waits for its first answers, and gives how to read what it says.
func begun(t *testing.T, c *exec.Cmd) (text func() string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ping")
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	c.Stdout, c.Stderr = out, out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	text = func() string {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	waits(t, "ping gets answers", func() bool { return len(text()) > 1000 })
	return text
}

// healed waits until frames pass for half a second, the time in which a cable that went deaf is found out.
func healed(t *testing.T, sats []*sat) {
	t.Helper()
	good := 0
	waits(t, "frames pass again", func() bool {
		if good++; !reaches(sats[0], sats[len(sats)/2], 1) {
			good = 0
		}
		return good >= 25 // of 20 ms each
	})
}
