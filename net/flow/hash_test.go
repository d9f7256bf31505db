package flow

import (
	"encoding/binary"
	"encoding/hex"
	"os"
	"slices"
	"strings"
	"testing"
)

// The vectors were computed by another program, from the text of the package comment.
func TestVectors(t *testing.T) {
	text, err := os.ReadFile("testdata/vectors.txt")
	if err != nil {
		t.Fatal(err)
	}
	name, seen := "", 0
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			name = line
			continue
		}
		part := strings.Fields(line)
		b, err := hex.DecodeString(part[0])
		if err != nil {
			t.Fatal(err)
		}
		h := Hash(b)
		got := []string{hex.EncodeToString(binary.BigEndian.AppendUint64(nil, h)), string(rune('0' + Colour(h, 0, 4))), string(rune('0' + Colour(h, 1, 4)))}
		if !slices.Equal(got, part[1:]) {
			t.Errorf("%s: %v, wanted %v", name, got, part[1:])
		}
		seen++
	}
	if seen < 25 {
		t.Errorf("only %d vectors", seen)
	}
}

// datagram is a UDP frame over IPv4 between two ends of the given numbers.
func datagram(from, to uint16) []byte {
	b := []byte{2, 0, 0, 0, byte(to >> 8), byte(to), 2, 0, 0, 0, byte(from >> 8), byte(from), 8, 0,
		0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, byte(from >> 8), byte(from), 10, 0, byte(to >> 8), byte(to)}
	b = binary.BigEndian.AppendUint16(b, from)
	b = binary.BigEndian.AppendUint16(b, to)
	return append(b, 0, 8, 0, 0)
}

// Both directions of a flow have one hash, and flows share the colours evenly: chi-square with 15 degrees of freedom exceeds 44.3
// by chance in one of 10,000 cases.
func TestFlowsShareTheColours(t *testing.T) {
	const colours, flows = 16, 64000
	var n [colours]float64
	for i := range uint16(flows) {
		there, back := Hash(datagram(i, ^i)), Hash(datagram(^i, i))
		if there != back {
			t.Fatalf("flow %d has two hashes", i)
		}
		n[Colour(there, 0, colours)]++
	}
	chi := 0.0
	for _, x := range n {
		chi += (x - flows/colours) * (x - flows/colours) / (flows / colours)
	}
	if chi > 44.3 {
		t.Errorf("chi-square %.1f: %v", chi, n)
	}
}

func TestChoicesAreTwoColoursWhereThereAreTwo(t *testing.T) {
	for k := 1; k <= 16; k++ {
		for h := range uint64(100) {
			a, b := Colour(h, 0, k), Colour(h, 1, k)
			if a < 0 || b < 0 || a >= k || b >= k || (a == b) != (k == 1) {
				t.Fatalf("hash %d of %d colours: %d and %d", h, k, a, b)
			}
		}
	}
}

// Whatever the bytes, nothing but the frame without tags and choice bit counts.
func FuzzHash(f *testing.F) {
	f.Add(datagram(1, 2))
	f.Add([]byte{})
	text, err := os.ReadFile("testdata/vectors.txt")
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if b, err := hex.DecodeString(strings.SplitN(line, " ", 2)[0]); err == nil {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h := Hash(b)
		if len(b) < 14 {
			return
		}
		c := slices.Clone(b)
		c[6] ^= 1
		if Hash(c) != h {
			t.Error("the choice bit counts")
		}
		if tags(b) < 3 {
			if Hash(slices.Insert(slices.Clone(b), 12, 0x88, 0xa8, 0x12, 0x34)) != h {
				t.Error("a tag counts")
			}
		}
	})
}

// tags counts what is marked as a tag, whole or not.
func tags(b []byte) (n int) {
	for at := 12; len(b) >= at+2; at += 4 {
		switch binary.BigEndian.Uint16(b[at:]) {
		case 0x8100, 0x88a8, 0x9100:
			n++
		default:
			return n
		}
	}
	return n
}

func BenchmarkHash(b *testing.B) {
	f := datagram(1, 2)
	b.ReportAllocs()
	for b.Loop() {
		Hash(f)
	}
}
