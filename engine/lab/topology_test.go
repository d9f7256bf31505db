package lab

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestShapes(t *testing.T) {
	for _, c := range []struct {
		text              string
		satellites, cable int
	}{
		{"line:1", 1, 0}, {"line:4", 4, 3}, {"ring:2", 2, 1}, {"ring:3", 3, 3}, {"ring:8", 8, 8}, {"full:5", 5, 10},
		{"torus:3x3", 9, 18}, {"torus:2x2", 4, 4}, {"torus:4x4", 16, 32}, {"torus:3x3x3", 27, 81}, {"torus:1x3", 3, 3},
	} {
		top, err := ParseTopology(c.text)
		if err != nil || len(top.Satellites) != c.satellites || len(top.Cables) != c.cable {
			t.Errorf("%s: %d satellites, %d cables, %v; want %d and %d", c.text, len(top.Satellites), len(top.Cables), err, c.satellites, c.cable)
		}
		for _, cable := range top.Cables {
			if len(cable.APort) > 15 || len(cable.BPort) > 15 {
				t.Errorf("%s: port names %s, %s are too long for the kernel", c.text, cable.APort, cable.BPort)
			}
		}
	}
}

func TestAFileOfCables(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cables")
	if err := os.WriteFile(path, []byte("# a triangle with a double side\ns1 s2\ns2 s1 # again\n\ns3 s1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	top, err := ParseTopology(path)
	if err != nil || len(top.Satellites) != 3 || len(top.Cables) != 3 {
		t.Fatalf("%+v, %v", top, err)
	}
	if top.Cables[1].APort == top.Cables[0].BPort {
		t.Error("two cables have one port")
	}
}

func TestWrongTopologiesSayWhere(t *testing.T) {
	file := func(text string) string {
		path := filepath.Join(t.TempDir(), "cables")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, c := range []struct{ text, want string }{
		{"star:3", "use line:N"}, {"ring:x", "not a number"}, {"ring:0", "1 to 64"}, {"torus:9x9", "too many"}, {"full:64", "cables"},
		{"torus:3", "use line:N"}, {"nothing", "neither a shape nor a file"},
		{file("s1 s2\ns1\n"), "line 2"}, {file("s1 web\n"), "not a satellite"}, {file("s1 s999\n"), "at most s64"}, {file("\n"), "no cable"},
	} {
		if _, err := ParseTopology(c.text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.text, err, c.want)
		}
	}
}
