package frame

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
)

var (
	macA = MAC{2, 0xde, 0xce, 0, 0, 0xa}
	macB = MAC{2, 0xde, 0xce, 0, 0, 0xb}
)

func sampleHello() Hello {
	return Hello{
		Self: Self{macA, 7, 0x1122334455667788, 0x99}, Peer: Peer{macB, 9, 0x77}, Seq: 5, Ack: 4, Answer: true,
		Name: "s1", Digest: 0xfeed, Claim: Claim{3, true, Vector{0x8000, macB, 20000, macA}}, Seen: 2, Grant: 0,
	}
}

func sampleFlood() Flood {
	n := Node{Main: true, Priority: 0x8000, Generation: 4, Parent: macB, ParentPort: 7, Name: "s1",
		Links: []Link{{macB, 7, 9, 2000}}, Edges: true, Silent: []MAC{macB}, Edge: &Edge{Bridge: 5, Changes: 6}}
	m := Node{MACs: []MAC{macB}, Moved: []Moved{{macA, 7}, {macB, 1 << 31}}, Learned: true}
	return Flood{Self: Self{macA, 7, 1, 2}, Peer: Peer{macB, 9, 3},
		Objects: []Object{{Key{macA, 0}, 12, 30, n.Append(nil)}, {Key{macB, 0x110}, 1, 0, []byte{}}, {Key{macB, 1023}, 1, 0, m.Append(nil)}},
		Acks:    []Ack{{Key{macB, 0x203}, Stamp{8, 9}}}}
}

func TestHelloGoesAndComesAlike(t *testing.T) {
	for _, h := range []Hello{sampleHello(), {Self: Self{macA, 1, 0, 1}, Seq: 1}} {
		b := h.Append(nil, macA)
		head, err := ParseHeader(b)
		if err != nil || head != (Header{Group, macA, TypeHello}) {
			t.Fatalf("header %+v, %v", head, err)
		}
		for _, pad := range []int{0, 1, 2, 46} {
			got, err := ParseHello(append(bytes.Clone(b[OffBody:]), make([]byte, pad)...))
			if err != nil || !reflect.DeepEqual(got, h) {
				t.Errorf("padded by %d: %+v, %v\nwant %+v", pad, got, err, h)
			}
		}
	}
}

// The bytes as the package comment draws them; a change here is a change of the protocol.
func TestHelloBytes(t *testing.T) {
	h := Hello{Self: Self{macA, 7, 1, 2}, Seq: 3, Ack: 1, Name: "s1", Digest: 4, Claim: Claim{Number: 5}, Seen: 6, Grant: 7}
	want := "0180c200000e 02dece00000a 88b5 01 01" +
		"01 001a 02dece00000a 00000007 0000000000000001 0000000000000002" +
		"03 0011 0000000000000003 0000000000000001 00" + "04 0002 7331" + "05 0008 0000000000000004" +
		"06 0008 0000000000000005" + "07 0010 0000000000000006 0000000000000007"
	if got := hex.EncodeToString(h.Append(nil, macA)); got != strings.ReplaceAll(want, " ", "") {
		t.Errorf("got  %s\nwant %s", got, strings.ReplaceAll(want, " ", ""))
	}
}

func TestClaimBytes(t *testing.T) {
	n := Node{MACs: []MAC{macA, macB}, Moved: []Moved{{macB, 0x102}}}
	want := "22 000c 02dece00000a 02dece00000b" + "24 000a 02dece00000b 00000102"
	if got := hex.EncodeToString(n.Append(nil)); got != strings.ReplaceAll(want, " ", "") {
		t.Errorf("got  %s\nwant %s", got, strings.ReplaceAll(want, " ", ""))
	}
	claims := slices.Collect(Claims(n.Append(nil)))
	if !slices.Equal(claims, []Moved{{macA, 0}, {macB, 0}, {macB, 0x102}}) {
		t.Errorf("claims %v", claims)
	}
	for range Claims(n.Append(nil)) {
		break // and the walk ends
	}
	if Learned(n.Append(nil)) {
		t.Error("guests' addresses count as learned")
	}
	n.Learned = true
	want += " 27 0000"
	if got := hex.EncodeToString(n.Append(nil)); got != strings.ReplaceAll(want, " ", "") || !Learned(n.Append(nil)) {
		t.Errorf("got  %s\nwant %s", got, strings.ReplaceAll(want, " ", ""))
	}
	// The order of elements does not matter, and a mark that says more is malformed.
	first, _ := hex.DecodeString("270000" + "22000602dece00000a")
	if got, err := ParseNode(first); err != nil || !got.Learned || !Learned(first) {
		t.Errorf("%+v, %v", got, err)
	}
	odd, _ := hex.DecodeString("27000101")
	if _, err := ParseNode(odd); err == nil || Learned(odd) {
		t.Error("a mark with a value is taken")
	}
}

func TestUnknownElementsAreSkipped(t *testing.T) {
	h := sampleHello()
	b := h.Append(nil, macA)[OffBody:]
	got, err := ParseHello(append([]byte{200, 0, 3, 1, 2, 3, 99, 0, 0}, b...))
	if err != nil || !reflect.DeepEqual(got, h) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestBrokenFramesAreRefused(t *testing.T) {
	h := sampleHello()
	b := h.Append(nil, macA)
	with := func(f func([]byte) []byte) []byte { return f(bytes.Clone(b)) }
	for name, c := range map[string]struct {
		frame []byte
		want  error
	}{
		"short":            {b[:15], ErrForeign},
		"other ethertype":  {with(func(b []byte) []byte { b[12] = 8; return b }), ErrForeign},
		"later version":    {with(func(b []byte) []byte { b[OffVersion] = 2; return b }), ErrVersion},
		"group source":     {with(func(b []byte) []byte { b[6] |= 1; return b }), ErrMalformed},
		"too long":         {append(bytes.Clone(b), make([]byte, 1500)...), ErrMalformed},
		"cut element":      {b[:len(b)-1], ErrMalformed},
		"twice":            {append(bytes.Clone(b), 5, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0), ErrMalformed},
		"wrong length":     {append(b[:OffBody:OffBody], 5, 0, 1, 9), ErrMalformed},
		"no self":          {b[:OffBody], ErrMalformed},
		"name not in UTF8": {append(b[:OffBody:OffBody], 4, 0, 1, 0xff), ErrMalformed},
		"claim of 9":       {append(b[:OffBody:OffBody], 6, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0), ErrMalformed},
	} {
		_, err := ParseHeader(c.frame)
		if err == nil {
			_, err = ParseHello(c.frame[OffBody:])
		}
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestFloodGoesAndComesAlike(t *testing.T) {
	f := sampleFlood()
	b := f.Append(nil, macA)
	got, err := ParseFlood(b[OffBody:])
	if err != nil || !reflect.DeepEqual(got, f) {
		t.Fatalf("%+v, %v\nwant %+v", got, err, f)
	}
	n, err := ParseNode(got.Objects[0].Body)
	if err != nil || n.Name != "s1" || len(n.Links) != 1 || !bytes.Equal(n.Append(nil), got.Objects[0].Body) {
		t.Errorf("%+v, %v", n, err)
	}
}

// The fullest objects and frames keep their limits.
func TestTheFullestObjectFitsOneFrame(t *testing.T) {
	n := Node{Main: true, Name: strings.Repeat("n", MaxName), Links: make([]Link, MaxLinksBody)}
	m := Node{MACs: make([]MAC, MaxMACsBody), Learned: true}
	v := Node{Moved: make([]Moved, MaxMovedBody), Learned: true}
	for _, body := range [][]byte{n.Append(nil), m.Append(nil), v.Append(nil), make([]byte, MaxBody)} {
		f := Flood{Self: Self{Session: 1}, Peer: Peer{ID: macB}, Objects: []Object{{Body: body}}, Seal: Seal{Number: 1}}
		if len(body) > MaxBody || f.Objects[0].Len() > FloodRoom {
			t.Errorf("body of %d bytes", len(body))
		}
		if b := f.Append(nil, macA); len(b) != HeaderLen+MTU-FloodRoom+f.Objects[0].Len() {
			t.Errorf("frame of %d bytes, FloodRoom tells %d", len(b), HeaderLen+MTU-FloodRoom+f.Objects[0].Len())
		}
	}
}

func TestEchoIsReflected(t *testing.T) {
	b := Echo{1, 2}.Append(nil, Header{macB, macA, TypeEchoRequest})
	want := Echo{1, 2}.Append(nil, Header{macA, macB, TypeEchoReply})
	if len(b) != EchoLen || !Reflect(b) || !bytes.Equal(b, want) {
		t.Errorf("%x, want %x", b, want)
	}
	if Reflect(b) {
		t.Error("an answer was answered")
	}
	b = Echo{1, 2}.Append(nil, Header{Group, macA, TypeEchoRequest})
	if !Reflect(b) {
		t.Error("what is asked of the group is not answered")
	}
	if h, err := ParseHeader(b); err != nil || h != (Header{macA, MAC{0x00, 0x80, 0xc2, 0, 0, 0x0e}, TypeEchoReply}) {
		t.Errorf("answered by %+v, %v", h, err)
	}
	if Reflect(Echo{1, 2}.Append(nil, Header{BridgeGroup, macA, TypeEchoRequest})) {
		t.Error("what is asked of another group is answered")
	}
	if e, err := ParseEcho(b[OffBody:]); err != nil || e != (Echo{1, 2}) {
		t.Errorf("%+v, %v", e, err)
	}
}

func TestMAC(t *testing.T) {
	m, err := ParseMAC("02:DE:ce:00:00:0a")
	if err != nil || m != macA || m.String() != "02:de:ce:00:00:0a" {
		t.Errorf("%v, %v", m, err)
	}
	for _, s := range []string{"", "02:de:ce:00:00", "02-de-ce-00-00-0a", "02:de:ce:00:00:0g", "02:de:ce:00:00:0a:"} {
		if _, err := ParseMAC(s); err == nil {
			t.Errorf("%q was taken", s)
		}
	}
	if a := macA.LinkLocal().String(); a != "fe80::de:ceff:fe00:a" {
		t.Errorf("link-local %s", a)
	}
}

func TestVectorsCompareByTheirPartsInOrder(t *testing.T) {
	up := []Vector{{0, macA, 0, macA}, {1, macA, 5, macB}, {1, macB, 0, macB}, {1, macB, 1, macA}, {1, macB, 1, macB}}
	for i := range up {
		for j := range up {
			if up[i].Less(up[j]) != (i < j) {
				t.Errorf("%v < %v is %v", up[i], up[j], i >= j)
			}
		}
	}
}

// What is parsed can be said again, and is parsed alike then.
func FuzzParse(f *testing.F) {
	h, fl := sampleHello(), sampleFlood()
	f.Add(h.Append(nil, macA))
	f.Add(fl.Append(nil, macA))
	f.Add(Echo{1, 2}.Append(nil, Header{macB, macA, TypeEchoRequest}))
	f.Add(append(h.Append(nil, macA), 0, 0, 0))
	f.Add((&Flood{Self: fl.Self, Peer: fl.Peer, Sums: make([]uint64, Buckets)}).Append(nil, macA))
	for _, o := range fl.Objects {
		f.Add(append(Header{Group, macA, TypeFlood}.Append(nil), o.Body...)) // a body alone
	}
	full := fullHello()
	f.Add(AppendSeal(full.Append(nil, macA), 9, sampleTag))
	f.Add(AppendSeal(fl.Append(nil, macA), 9, sampleTag))
	f.Fuzz(func(t *testing.T, b []byte) {
		head, err := ParseHeader(b)
		if err != nil {
			return
		}
		body := b[OffBody:]
		if covered, sealed := Covered(b); sealed && len(covered)+SealTagLen > len(b) {
			t.Errorf("a seal covers %d of %d bytes", len(covered), len(b))
		}
		if h, err := ParseHello(body); err == nil {
			again, err := ParseHello(h.Append(nil, head.Source)[OffBody:])
			if err != nil || !reflect.DeepEqual(h, again) {
				t.Errorf("%+v\n%+v, %v", h, again, err)
			}
		}
		if m, err := ParseFlood(body); err == nil {
			again, err := ParseFlood(m.Append(nil, head.Source)[OffBody:])
			if err != nil || !reflect.DeepEqual(m, again) {
				t.Errorf("%+v\n%+v, %v", m, again, err)
			}
		}
		if n, err := ParseNode(body); err == nil {
			again, err := ParseNode(n.Append(nil))
			if err != nil || !reflect.DeepEqual(n, again) {
				t.Errorf("%+v\n%+v, %v", n, again, err)
			}
			claims := slices.Collect(Claims(body))
			want := make([]Moved, 0, len(n.MACs)+len(n.Moved))
			for _, m := range n.MACs {
				want = append(want, Moved{MAC: m})
			}
			sortMoved := func(s []Moved) []Moved {
				return slices.SortedFunc(slices.Values(s), func(a, b Moved) int { return a.MAC.Compare(b.MAC)*4 + cmp.Compare(a.Epoch, b.Epoch) })
			}
			if !slices.Equal(sortMoved(claims), sortMoved(append(want, n.Moved...))) {
				t.Errorf("claims %v of %+v", claims, n)
			}
			if Learned(body) != n.Learned {
				t.Errorf("%x: learned %v, parsed %v", body, Learned(body), n.Learned)
			}
		}
		Reflect(b)
	})
}
