package lab

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"

	"decenter/engine/api"
)

// The bounds of a lab.
const (
	MaxSatellites = 64
	MaxCables     = 1024
)

// Cable joins two satellites. A pair may have several.
type Cable struct {
	A, B         string
	APort, BPort string // device names at both ends, in their namespaces
}

// Topology is who is cabled to whom.
type Topology struct {
	Satellites []string // s1, s2, …, in order
	Cables     []Cable
}

var fileLine = regexp.MustCompile(`^s([1-9][0-9]*)$`)

// ParseTopology reads line:N, ring:N, full:N, torus:AxB, torus:AxBxC, or the path of a file.
func ParseTopology(text string) (Topology, error) {
	shape, size, ok := strings.Cut(text, ":")
	if !ok || strings.ContainsAny(shape, "/.") {
		content, err := os.ReadFile(text)
		if err != nil {
			return Topology{}, invalid("topology %q is neither a shape nor a file: %v", text, err)
		}
		return parseFile(content)
	}
	var dims []int
	for _, d := range strings.Split(size, "x") {
		n, err := strconv.Atoi(d)
		if err != nil || n < 1 || n > MaxSatellites {
			return Topology{}, invalid("topology %q: %q is not a number from 1 to %d", text, d, MaxSatellites)
		}
		dims = append(dims, n)
	}
	switch {
	case shape == "line" && len(dims) == 1:
		return build(dims[0], func(i, j int) bool { return j == i+1 })
	case shape == "ring" && len(dims) == 1:
		n := dims[0]
		return build(n, func(i, j int) bool { return j == i+1 || n > 2 && i == 0 && j == n-1 })
	case shape == "full" && len(dims) == 1:
		return build(dims[0], func(int, int) bool { return true })
	case shape == "torus" && (len(dims) == 2 || len(dims) == 3):
		return torus(dims)
	}
	return Topology{}, invalid("topology %q is not known: use line:N, ring:N, full:N, torus:AxB, torus:AxBxC or a file", text)
}

func invalid(format string, args ...any) error { return api.Errorf(api.CodeInvalid, format, args...) }

// build cables every pair i < j for which joined says so.
func build(n int, joined func(i, j int) bool) (Topology, error) {
	if n > MaxSatellites {
		return Topology{}, invalid("%d satellites are too many for one machine: at most %d", n, MaxSatellites)
	}
	var t Topology
	for i := range n {
		t.Satellites = append(t.Satellites, fmt.Sprintf("s%d", i+1))
	}
	for i := range n {
		for j := i + 1; j < n; j++ {
			if joined(i, j) {
				t.add(i+1, j+1)
			}
		}
	}
	if len(t.Cables) > MaxCables {
		return Topology{}, invalid("%d cables are too many: at most %d", len(t.Cables), MaxCables)
	}
	return t, nil
}

// add runs a cable between two satellites; a second one between them gets ports of its own.
func (t *Topology) add(a, b int) {
	an, bn := fmt.Sprintf("s%d", a), fmt.Sprintf("s%d", b)
	again := 0
	for _, c := range t.Cables {
		if c.A == an && c.B == bn || c.A == bn && c.B == an {
			again++
		}
	}
	suffix := ""
	if again > 0 {
		suffix = fmt.Sprintf("-%d", again+1)
	}
	c := Cable{A: an, B: bn, APort: "to-" + bn + suffix, BPort: "to-" + an + suffix}
	if a == b {
		c.BPort += "-b"
	}
	t.Cables = append(t.Cables, c)
}

// torus is a grid whose edges meet; a dimension of two has one cable, not two.
func torus(dims []int) (Topology, error) {
	n := 1
	for _, d := range dims {
		if n *= d; n > MaxSatellites {
			return Topology{}, invalid("%d satellites or more are too many for one machine: at most %d", n, MaxSatellites)
		}
	}
	at := func(i int) (c []int) {
		for _, d := range dims {
			c = append(c, i%d)
			i /= d
		}
		return c
	}
	return build(n, func(i, j int) bool {
		a, b := at(i), at(j)
		differ, apart := 0, 0
		for k, d := range dims {
			if a[k] != b[k] {
				differ++
				apart = min((a[k]-b[k]+d)%d, (b[k]-a[k]+d)%d)
			}
		}
		return differ == 1 && apart == 1
	})
}

// parseFile reads a cable a line: two satellites' names. # begins a comment. Satellites are s1 to the highest named.
func parseFile(text []byte) (Topology, error) {
	var t Topology
	highest := 0
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		line, _, _ := strings.Cut(lines.Text(), "#")
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		if len(fields) != 2 {
			return Topology{}, invalid("line %d: %q is not a cable: write two satellites, like s1 s2", n, strings.TrimSpace(line))
		}
		var ends [2]int
		for i, f := range fields {
			m := fileLine.FindStringSubmatch(f)
			if m == nil {
				return Topology{}, invalid("line %d: %q is not a satellite: use s1 to s%d", n, f, MaxSatellites)
			}
			num, err := strconv.Atoi(m[1])
			if err != nil || num > MaxSatellites {
				return Topology{}, invalid("line %d: %s is too many: at most s%d", n, f, MaxSatellites)
			}
			ends[i] = num
			highest = max(highest, num)
		}
		if len(t.Cables) == MaxCables {
			return Topology{}, invalid("line %d: more than %d cables", n, MaxCables)
		}
		t.add(ends[0], ends[1])
	}
	if err := lines.Err(); err != nil {
		return Topology{}, invalid("topology file: %v", err)
	}
	if highest == 0 {
		return Topology{}, invalid("the topology file has no cable: write lines like s1 s2")
	}
	for i := range highest {
		t.Satellites = append(t.Satellites, fmt.Sprintf("s%d", i+1))
	}
	return t, nil
}
