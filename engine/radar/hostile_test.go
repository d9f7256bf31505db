package radar

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"io"
	"log"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"
	"github.com/hashicorp/serf/serf"

	"decenter/engine/api"
)

const gossipPort = 17717 // of the loopback constellation

// hostile is a memberlist of its own that writes down all it learns. A nil key is none.
func hostile(t *testing.T, host byte, name string, key []byte) *memberlist.Memberlist {
	t.Helper()
	c := memberlist.DefaultLANConfig()
	c.Name, c.BindAddr, c.BindPort, c.AdvertisePort = name, netip.AddrFrom4([4]byte{127, 0, 9, host}).String(), gossipPort, gossipPort
	c.AdvertiseAddr = c.BindAddr
	c.SecretKey = key
	c.GossipVerifyIncoming, c.GossipVerifyOutgoing = false, true
	// Serf's delegates speak these versions; without them a stock memberlist is refused for its version alone.
	c.DelegateProtocolVersion, c.DelegateProtocolMin, c.DelegateProtocolMax = 4, 2, 5
	c.ProtocolVersion, c.TCPTimeout = 5, 2*time.Second
	c.Logger = log.New(io.Discard, "", 0)
	m, err := memberlist.Create(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Shutdown() })
	return m
}

func known(r *Radar, id string) bool {
	for _, n := range r.serf.Memberlist().Members() {
		if n.Name == id {
			return true
		}
	}
	return false
}

// TestWithoutTheKeyNobodyJoinsReadsOrInjects tries it with another key and with none. The control has the key, and so shows
// that the key is what stops the others: each claims to be one that is admitted.
func TestWithoutTheKeyNobodyJoinsReadsOrInjects(t *testing.T) {
	for _, c := range []struct {
		name string
		host byte
		key  []byte
		in   bool
	}{
		{"another key", 21, testKey('x'), false},
		{"no key", 22, nil, false},
		{"an AES-128 key that begins like the right one", 23, testKey('k')[:16], false},
		{"control: the key", 24, testKey('k'), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			victim := start(t, ctx, "victim", 20, nil)
			evil := hostile(t, c.host, "SHA256:evil", c.key)
			_, err := evil.Join([]string{"127.0.9.20:17717"})
			if joined := err == nil; joined != c.in {
				t.Fatalf("join over TCP: %v", err)
			}
			// Over UDP: gossip of a satellite that is not there, by hand, as if heard from a third.
			to, err := net.Dial("udp", "127.0.9.20:17717")
			if err != nil {
				t.Fatal(err)
			}
			defer to.Close()
			for range 5 {
				if err := evil.SendBestEffort(&memberlist.Node{Addr: net.IPv4(127, 0, 9, 20), Port: gossipPort, Name: "SHA256:victim"}, []byte("hello")); err != nil {
					t.Fatal(err)
				}
				if _, err := to.Write([]byte{4, 0x80}); err != nil { // alive, in the clear
					t.Fatal(err)
				}
				time.Sleep(50 * time.Millisecond)
			}
			if known(victim, "SHA256:evil") != c.in {
				t.Errorf("the victim knows the hostile one: %v", !c.in)
			}
			learned := false
			for _, n := range evil.Members() {
				learned = learned || n.Name == "SHA256:victim"
			}
			if learned != c.in {
				t.Errorf("the hostile one learned of the victim: %v", learned)
			}
			cancel()
		})
	}
}

// TestNothingReadableIsOnTheWire listens where gossip is sent to.
func TestNothingReadableIsOnTheWire(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	tap, err := net.ListenPacket("udp", "127.0.9.26:17717")
	if err != nil {
		t.Fatal(err)
	}
	defer tap.Close()
	stream, err := net.Listen("tcp", "127.0.9.26:17717")
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	a := start(t, ctx, "speaker", 25, nil)
	var heard bytes.Buffer
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, err := stream.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(time.Second))
		_, _ = io.Copy(&heard, c)
	}()
	_, _ = a.Join([]netip.Addr{netip.MustParseAddr("127.0.9.26")}) // the tap answers nothing
	<-done
	if heard.Len() < 50 {
		t.Fatalf("only %d bytes were heard: the test shows nothing", heard.Len())
	}
	if bytes.Contains(heard.Bytes(), []byte("speaker")) {
		t.Error("a satellite's name can be read on the wire")
	}
	cancel()
}

func TestGarbageAndGreedyStreamsDoNoHarm(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	a, b := start(t, ctx, "s27", 27, nil), start(t, ctx, "s28", 28, nil)
	var held []net.Conn
	defer func() {
		for _, c := range held {
			c.Close()
		}
	}()
	for n := range 200 {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 7, 9, byte(n/20)+1)}}
		c, err := d.Dial("tcp", "127.0.9.27:17717")
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, c)
		// An encrypted message that says to be 16 MiB long, and comes no further.
		head := binary.BigEndian.AppendUint32([]byte{10}, 16<<20)
		_, _ = c.Write(append(head, byte(n)))
	}
	u, err := net.Dial("udp", "127.0.9.27:17717")
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	for n := range 2000 {
		_, _ = u.Write(bytes.Repeat([]byte{byte(n)}, n%1400))
	}
	tr := a.wire
	tr.mu.Lock()
	if tr.all > maxStreams {
		t.Errorf("%d streams are open", tr.all)
	}
	t.Logf("of 200 greedy streams %d are open", tr.all)
	tr.mu.Unlock()
	waitFor(t, "a real satellite joins", func() bool {
		n, err := b.Join([]netip.Addr{a.cfg.Advertise})
		return n == 1 && err == nil
	})
	cancel()
}

func TestStreamsAreCountedOut(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	a, b := start(t, ctx, "s42", 42, nil), start(t, ctx, "s43", 43, nil)
	for range 3 * maxFromSource {
		if n, err := b.Join([]netip.Addr{a.cfg.Advertise}); n != 1 || err != nil {
			t.Fatalf("%d, %v", n, err)
		}
	}
	tr := a.wire
	waitFor(t, "all streams are counted out", func() bool {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		return tr.all == 0 && len(tr.open) == 0
	})
	cancel()
}

func TestKeysChangeWhileGossipGoesOn(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	a, b := start(t, ctx, "s30", 30, nil), start(t, ctx, "s31", 31, nil)
	if _, err := b.Join([]netip.Addr{a.cfg.Advertise}); err != nil {
		t.Fatal(err)
	}
	old := testKey('k')
	for round := range 20 {
		next := testKey(byte('A' + round))
		for _, r := range []*Radar{a, b} {
			if err := r.SetKeys(old, [][]byte{next}); err != nil {
				t.Fatal(err)
			}
		}
		for _, r := range []*Radar{a, b} {
			if err := r.SetKeys(next, [][]byte{old}); err != nil {
				t.Fatal(err)
			}
		}
		for _, r := range []*Radar{a, b} {
			if err := r.SetKeys(next, nil); err != nil {
				t.Fatal(err)
			}
			if have := r.ring.GetKeys(); len(have) != 1 || !bytes.Equal(have[0], next) {
				t.Fatalf("round %d: %d keys are left", round, len(have))
			}
		}
		old = next
		time.Sleep(20 * time.Millisecond)
	}
	if n, err := b.Join([]netip.Addr{a.cfg.Advertise}); n != 1 || err != nil {
		t.Fatalf("with the last key: %d, %v", n, err)
	}
	if s := states(a); s["s31"] != api.SatelliteLive {
		t.Errorf("states %v", s)
	}
	if hostileErr := joinOf(t, 32, testKey('k'), "127.0.9.30:17717"); hostileErr == nil {
		t.Error("the first key still opens")
	}
	for _, wrong := range [][]byte{nil, testKey('x')[:16], testKey('x')[:31]} {
		if err := a.SetKeys(wrong, nil); err == nil {
			t.Errorf("a key of %d bytes was taken", len(wrong))
		}
	}
	cancel()
}

func joinOf(t *testing.T, host byte, key []byte, to string) error {
	_, err := hostile(t, host, "SHA256:evil", key).Join([]string{to})
	return err
}

// TestAMemberCannotChangeOrListTheKeysByGossip lets a member that holds the key use Serf's own key queries, which would
// let a satellite that is being ejected install a key of its own. The control is a stock Serf, which obeys.
func TestAMemberCannotChangeOrListTheKeysByGossip(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	victim := start(t, ctx, "s33", 33, nil)
	evil, _ := stockSerf(t, 34, "SHA256:evil")
	_, control := stockSerf(t, 35, "SHA256:control")
	if _, err := evil.Join([]string{"127.0.9.33:17717", "127.0.9.35:17717"}, true); err != nil {
		t.Fatal(err)
	}
	mine := testKey('e')
	if _, err := evil.KeyManager().InstallKey(base64Of(mine)); err == nil {
		t.Error("installing a key was answered as done by all")
	}
	waitFor(t, "the control has the hostile key", func() bool { return contains(control.GetKeys(), mine) })
	list, _ := evil.KeyManager().ListKeys()
	if list != nil && list.NumErr == 0 {
		t.Errorf("the victim listed its keys: %v", list.Keys)
	}
	if have := victim.ring.GetKeys(); len(have) != 1 || !bytes.Equal(have[0], testKey('k')) {
		t.Errorf("the victim has %d keys", len(have))
	}
	cancel()
}

func base64Of(key []byte) string { return base64.StdEncoding.EncodeToString(key) }

func stockSerf(t *testing.T, host byte, name string) (*serf.Serf, *memberlist.Keyring) {
	t.Helper()
	ring, err := memberlist.NewKeyring(nil, testKey('k'))
	if err != nil {
		t.Fatal(err)
	}
	ml := memberlist.DefaultLANConfig()
	ml.BindAddr = netip.AddrFrom4([4]byte{127, 0, 9, host}).String()
	ml.AdvertiseAddr, ml.BindPort, ml.AdvertisePort, ml.Keyring = ml.BindAddr, gossipPort, gossipPort, ring
	ml.GossipInterval = gossipEvery
	ml.Logger = log.New(io.Discard, "", 0)
	c := serf.DefaultConfig()
	c.Init()
	c.NodeName, c.MemberlistConfig, c.Logger, c.ValidateNodeNames = name, ml, ml.Logger, false
	s, err := serf.Create(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Shutdown() })
	return s, ring
}

func TestAnEjectedMemberIsForgottenPromptly(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var mu sync.Mutex
	ejected := ""
	admitted := func(id string) bool {
		mu.Lock()
		defer mu.Unlock()
		return id != ejected
	}
	a, b, c := start(t, ctx, "s36", 36, admitted), start(t, ctx, "s37", 37, admitted), start(t, ctx, "s38", 38, nil)
	for _, r := range []*Radar{b, c} {
		if _, err := r.Join([]netip.Addr{a.cfg.Advertise}); err != nil {
			t.Fatal(err)
		}
	}
	waitFor(t, "three know each other", func() bool { return len(a.Members()) == 3 && len(b.Members()) == 3 })
	mu.Lock()
	ejected = "SHA256:s38"
	mu.Unlock()
	began := time.Now()
	a.Recheck()
	b.Recheck()
	waitFor(t, "Serf has forgotten it", func() bool { return len(a.serf.Members()) == 2 && len(b.serf.Members()) == 2 })
	t.Logf("forgotten after %v", time.Since(began).Round(time.Millisecond))
	// It is alive and still has the key: it comes back by itself, and is not believed.
	_, _ = c.Join([]netip.Addr{a.cfg.Advertise, b.cfg.Advertise})
	time.Sleep(time.Second)
	if len(a.serf.Members()) != 2 || len(b.serf.Members()) != 2 {
		t.Error("it was taken in again")
	}
	// The keys change, as after each ejection, and later it is admitted again and gets them.
	for _, r := range []*Radar{a, b} {
		if err := r.SetKeys(testKey('n'), nil); err != nil {
			t.Fatal(err)
		}
	}
	waitFor(t, "gossip misses it", func() bool { return !known(a, "SHA256:s38") && !known(b, "SHA256:s38") })
	mu.Lock()
	ejected = ""
	mu.Unlock()
	a.Recheck()
	b.Recheck()
	if err := c.SetKeys(testKey('n'), nil); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "admitted again, it is a member again", func() bool {
		_, _ = c.Join([]netip.Addr{a.cfg.Advertise})
		return states(a)["s38"] == api.SatelliteLive && states(b)["s38"] == api.SatelliteLive
	})
	cancel()
}

func TestTheSnapshotHoldsNoKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "radar")
	ctx, cancel := context.WithCancel(context.Background())
	r, err := New(Config{ID: "SHA256:s39", Name: "s39", Version: "test", Port: gossipPort, RPCPort: 17718, Snapshot: path,
		Advertise: netip.MustParseAddr("127.0.9.39"), Primary: testKey('k'), Others: [][]byte{testKey('o')}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = r.Run(ctx) }()
	b := start(t, ctx, "s40", 40, nil)
	if _, err := b.Join([]netip.Addr{r.cfg.Advertise}); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "they know each other", func() bool { return len(r.Members()) == 2 })
	cancel()
	<-done
	text, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(text), "SHA256:s40") {
		t.Fatalf("the snapshot shows nothing: %q, %v", text, err)
	}
	for _, k := range [][]byte{testKey('k'), testKey('o')} {
		if bytes.Contains(text, k) || strings.Contains(string(text), base64Of(k)) {
			t.Error("the snapshot holds a key")
		}
	}
}

func TestARadarWithoutAKeyDoesNotStart(t *testing.T) {
	_, err := New(Config{ID: "SHA256:s41", Name: "s41", Port: gossipPort, Advertise: netip.MustParseAddr("127.0.9.41"), Log: slog.New(slog.DiscardHandler)})
	if err == nil {
		t.Fatal("it gossips in the clear")
	}
}
