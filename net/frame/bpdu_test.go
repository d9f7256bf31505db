package frame

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"
)

func sampleRST() BPDU {
	return BPDU{Kind: KindRST, Version: 2, Proposal: true, Role: BPDUDesignated, Learning: true,
		Root: MakeBridgeID(0x1000, macA), Cost: 20000, Bridge: MakeBridgeID(0x8000, macB), Port: 0x8002,
		MessageAge: TicksOf(time.Second), MaxAge: TicksOf(20 * time.Second), HelloTime: TicksOf(2 * time.Second),
		ForwardDelay: TicksOf(15 * time.Second)}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestTagsAreReadAndSaid(t *testing.T) {
	for _, c := range []struct {
		name  string
		hex   string
		depth int
		typ   uint16
	}{
		{"untagged", "ffffffffffff 02dece00000a 0800 45", 0, 0x0800},
		{"one", "ffffffffffff 02dece00000a 8100 2064 0800 45", 1, 0x0800},
		{"two", "ffffffffffff 02dece00000a 88a8 0005 8100 2064 0800 45", 2, 0x0800},
		{"three", "ffffffffffff 02dece00000a 9100 0001 88a8 0005 8100 2064 86dd 60", 3, 0x86dd},
		{"a fourth is payload", "ffffffffffff 02dece00000a 8100 0001 8100 0002 8100 0003 8100 0004 0800", 3, 0x8100},
	} {
		b := unhex(t, c.hex)
		h, payload, err := ParseEthernet(b)
		if err != nil || h.Depth != c.depth || h.Type != c.typ {
			t.Errorf("%s: %+v, %v", c.name, h, err)
		}
		if again := append(h.Append(nil), payload...); !bytes.Equal(again, b) || h.Len() != len(b)-len(payload) {
			t.Errorf("%s: %x said again is %x", c.name, b, again)
		}
	}
	if tag := (Tag{TagCustomer, 0xb064}); tag.VLAN() != 100 || tag.Priority() != 5 {
		t.Errorf("vlan %d priority %d", tag.VLAN(), tag.Priority())
	}
	for _, s := range []string{"", "ffffffffffff02dece00000a08", "ffffffffffff02dece00000a8100006408"} {
		if _, _, err := ParseEthernet(unhex(t, s)); !errors.Is(err, ErrEthernet) {
			t.Errorf("%q: %v", s, err)
		}
	}
}

// The bytes as clause 9.3 has them.
func TestBPDUBytes(t *testing.T) {
	head := "0180c2000000 02dece00000a "
	rst, config, tcn := sampleRST(), sampleRST(), BPDU{Kind: KindTCN}
	config.Kind, config.TopologyChange, config.TopologyChangeAck = KindConfig, true, true
	for _, c := range []struct {
		p    BPDU
		want string
	}{
		{rst, head + "0027 424203 0000 02 02 1e 1000 02dece00000a 00004e20 8000 02dece00000b 8002 0100 1400 0200 0f00 00"},
		{config, head + "0026 424203 0000 00 00 81 1000 02dece00000a 00004e20 8000 02dece00000b 8002 0100 1400 0200 0f00"},
		{tcn, head + "0007 424203 0000 00 80"},
	} {
		want := unhex(t, c.want)
		want = append(want, make([]byte, MinFrame-len(want))...)
		if got := c.p.AppendFrame(nil, macA); !bytes.Equal(got, want) {
			t.Errorf("type %02x\ngot  %x\nwant %x", c.p.Kind, got, want)
		}
		got, src, err := ParseBPDUFrame(want)
		again := got.AppendFrame(nil, src)
		if err != nil || src != macA || !bytes.Equal(again, want) {
			t.Errorf("type %02x: %+v from %v, %v", c.p.Kind, got, src, err)
		}
	}
}

// Clause 9.3.4: what is too short is refused; later versions and longer ones are read as far as they are known.
func TestLaterBPDUsAreReadAndShortOnesRefused(t *testing.T) {
	rst := sampleRST()
	good := rst.Append(nil)
	mst := append(bytes.Clone(good), make([]byte, 66)...)
	mst[2] = 3
	if p, err := ParseBPDU(mst); err != nil || p.Version != 3 || p.Root != rst.Root || p.Role != BPDUDesignated {
		t.Errorf("MST: %+v, %v", p, err)
	}
	config := rst
	config.Kind = KindConfig
	long := append(config.Append(nil), 1, 2, 3)
	long[2], long[4] = 9, 0xff
	if p, err := ParseBPDU(long); err != nil || p.Proposal || p.Agreement || p.Role != 0 || !p.TopologyChange {
		t.Errorf("config of version 9: %+v, %v", p, err)
	}
	config.MessageAge = config.MaxAge
	for name, b := range map[string][]byte{
		"three bytes": good[:3], "RST of 35": good[:35], "config of 34": long[:34], "protocol 1": append([]byte{0, 1}, good[2:]...),
		"type 3": {0, 0, 0, 3}, "config too old": config.Append(nil),
	} {
		if _, err := ParseBPDU(b); !errors.Is(err, ErrBPDU) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFramesThatCarryNoBPDU(t *testing.T) {
	rst := sampleRST()
	good := rst.AppendFrame(nil, macB)
	with := func(at int, v ...byte) []byte { b := bytes.Clone(good); copy(b[at:], v); return b }
	for name, c := range map[string]struct {
		b    []byte
		want error
	}{
		"another group":     {with(5, 0x0e), ErrForeign},
		"tagged":            {with(12, 0x81, 0), ErrForeign},
		"an EtherType":      {with(12, 0x88, 0xb5), ErrForeign},
		"another SAP":       {with(14, 0xaa), ErrForeign},
		"length too long":   {with(12, 0x05, 0xdc), ErrEthernet},
		"length of nothing": {with(12, 0, 2), ErrEthernet},
		"a group's source":  {with(6, 3), ErrBPDU},
		"cut by its length": {with(12, 0, 38), ErrBPDU},
	} {
		if _, _, err := ParseBPDUFrame(c.b); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestEdgeGoesAndComesAlike(t *testing.T) {
	e := Edge{Bridge: 1, Changes: 2, Claim: EdgeClaim{Valid: true, Sync: true, Number: 3, Root: 4, Cost: 5, Bridge: 6, Port: 7,
		Age: 8, Max: 9, Hello: 10, Delay: 11, At: 12, AtPort: 13}, Consent: EdgeConsent{macB, 14, true}}
	b := e.Append(nil)
	if got, err := ParseEdge(append(b, 1, 2)); err != nil || got != e || len(b) != EdgeLen {
		t.Errorf("%d bytes: %+v, %v", len(b), got, err)
	}
	if _, err := ParseEdge(b[:EdgeLen-1]); !errors.Is(err, ErrMalformed) {
		t.Error(err)
	}
}

// What is parsed can be said again, and is parsed alike then.
func FuzzParseForeign(f *testing.F) {
	rst := sampleRST()
	f.Add(rst.AppendFrame(nil, macA))
	tcn := BPDU{Kind: KindTCN}
	f.Add(tcn.AppendFrame(nil, macA))
	config := rst
	config.Kind = KindConfig
	f.Add(config.AppendFrame(nil, macA))
	e := Edge{Bridge: 1, Claim: EdgeClaim{Valid: true}}
	f.Add(e.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, payload, err := ParseEthernet(b); err == nil {
			if again := append(h.Append(nil), payload...); !bytes.Equal(again, b) {
				t.Errorf("%x\n%x", b, again)
			}
		}
		if p, src, err := ParseBPDUFrame(b); err == nil {
			again, src2, err := ParseBPDUFrame(p.AppendFrame(nil, src))
			again.Version = p.Version // ours is said, not the one heard
			if err != nil || again != p || src2 != src {
				t.Errorf("%+v\n%+v, %v", p, again, err)
			}
		}
		if e, err := ParseEdge(b); err == nil {
			if again, err := ParseEdge(e.Append(nil)); err != nil || again != e {
				t.Errorf("%+v\n%+v, %v", e, again, err)
			}
		}
	})
}
