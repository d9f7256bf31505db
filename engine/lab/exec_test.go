package lab

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"decenter/engine/identity"
)

// TestACommandInsideIsAtHome: what asks for the satellite's configuration or for this program finds them as on a machine
// of its own, and the fingerprint that the lab tells is that of the satellite's key.
func TestACommandInsideIsAtHome(t *testing.T) {
	dir := newDir(t)
	up := must(t, dir, "up", "--topology", "line:2", "--stranger", "s2")
	ask := func(words ...string) string {
		t.Helper()
		return strings.TrimSpace(must(t, dir, append([]string{"exec", "s2", "--"}, words...)...))
	}
	if got := ask("sh", "-c", "echo $DECENTER_CONFIG"); got != filepath.Join(dir, "s2", "engine.toml") {
		t.Errorf("DECENTER_CONFIG is %q", got)
	} else if text, err := os.ReadFile(got); err != nil || ask("cat", got) != strings.TrimSpace(string(text)) {
		t.Errorf("it is another file inside: %v", err)
	}
	t.Setenv("PATH", "/usr/bin:/bin") // where it is not
	if got := ask("decenter", "lab", "help"); got != strings.TrimSpace(Usage) {
		t.Errorf("decenter inside: %q", got)
	}
	all := statuses(t, dir)
	for _, name := range []string{"s1", "s2"} {
		id, err := identity.LoadOrCreate(filepath.Join(dir, name, "data"))
		if err != nil {
			t.Fatal(err)
		}
		if all[name].Fingerprint != id.Fingerprint() || !strings.Contains(up, id.Fingerprint()) {
			t.Errorf("%s: status says %q, the key is %s; up said\n%s", name, all[name].Fingerprint, id.Fingerprint(), up)
		}
	}
	if !strings.Contains(up, all["s2"].Fingerprint+", a stranger\n") || strings.Contains(up, all["s1"].Fingerprint+",") {
		t.Errorf("who the stranger is: %s", up)
	}
}

func TestHelpIsAskedForInManyWays(t *testing.T) {
	for _, words := range [][]string{nil, {"help"}, {"-h"}, {"--help"}, {"up", "-h"}} {
		var out, errs bytes.Buffer
		if code := Main(context.Background(), words, Env{Out: &out, Err: &errs}); code != 0 || out.String() != Usage {
			t.Errorf("%q: exit %d, %q", words, code, &errs)
		}
	}
}
