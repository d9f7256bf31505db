package admission

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"decenter/engine/identity"
	"decenter/engine/keyring"
	"decenter/engine/rpc"
	"decenter/keys"
	"decenter/keys/statement"
)

// stranger is a key and a client that say to a satellite whatever a test wants.
func stranger(t *testing.T) *identity.Identity {
	t.Helper()
	id, err := identity.LoadOrCreate(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func client(t *testing.T, id *identity.Identity, from netip.Addr) *http.Client {
	t.Helper()
	config, err := id.ListenTLS()
	if err != nil {
		t.Fatal(err)
	}
	p := new(http.Protocols)
	p.SetHTTP2(true)
	d := &net.Dialer{Timeout: 3 * time.Second}
	if from.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))
	}
	tr := &http.Transport{Protocols: p, TLSClientConfig: config, DialContext: d.DialContext}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 8 * time.Second}
}

func say(t *testing.T, c *http.Client, s *sat, path string, body io.Reader) (int, []byte, error) {
	t.Helper()
	to := fmt.Sprintf("https://%s:%d%s", s.w.addr(s.n), s.w.port, path)
	res, err := c.Post(to, "application/json", body)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return res.StatusCode, text, err
}

// asMember is what a member would say, to get all keys.
func asMember(s *sat) message {
	s.adm.mu.Lock()
	defer s.adm.mu.Unlock()
	return message{Version: version, Digest: s.store.Digest(), Basis: s.ring.Basis(), Ring: &ringPart{Have: []keyring.ID{}, Retired: []keyring.ID{}}}
}

func TestAStrangerGetsNoKeysAndAMemberDoes(t *testing.T) {
	w := newWorld(t, 31)
	two := w.constellation(2)
	id := stranger(t)
	c := client(t, id, netip.Addr{})
	code, text, err := say(t, c, two[0], Path, bytes.NewReader(asMember(two[0]).append()))
	if err != nil || code != http.StatusOK {
		t.Fatalf("%d %s %v", code, text, err)
	}
	got, err := parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if got.Ring != nil || strings.Contains(string(text), "secret") {
		t.Fatalf("a stranger got %s", text)
	}
	// The control: the same key, the same question, once an owner admitted it.
	fp, _ := keys.ParseFingerprint(id.Fingerprint())
	w.declare(two[0], w.says(true, &sat{fp: fp}, 0))
	_, text, err = say(t, c, two[0], Path, bytes.NewReader(asMember(two[0]).append()))
	if err != nil {
		t.Fatal(err)
	}
	if got, err = parse(text); err != nil || got.Ring == nil || len(got.Ring.Keys) == 0 {
		t.Fatalf("the control shows nothing: %s, %v", text, err)
	}
	// Ejected, on the very connection that it had: nothing.
	w.declare(two[0], w.says(false, &sat{fp: fp}, 0))
	_, text, _ = say(t, c, two[0], Path, bytes.NewReader(asMember(two[0]).append()))
	if got, err = parse(text); err != nil || got.Ring != nil {
		t.Errorf("ejected, it got %s, %v", text, err)
	}
}

func haveOf(s *sat) []keyring.ID {
	s.adm.mu.Lock()
	defer s.adm.mu.Unlock()
	return s.ring.Have()
}

func TestAStrangersWordsChangeNothing(t *testing.T) {
	w := newWorld(t, 32)
	two := w.constellation(2)
	id := stranger(t)
	fp, _ := keys.ParseFingerprint(id.Fingerprint())
	evil := newWorld(t, 32).owner
	evilAccount := evil.Address(keys.Mainnet, keys.P2WPKH)
	line := func(s statement.Statement) string {
		l, err := statement.New(s)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	now := time.Now().UTC().Truncate(time.Second)
	admit := line(statement.Membership{Account: evilAccount, Constellation: constellationName, Satellite: fp, Admit: true, At: now})
	forged := line(statement.Membership{Account: w.account(), Constellation: constellationName, Satellite: fp, Admit: true, At: now})
	grant := line(statement.Grant{Account: evilAccount, Constellation: constellationName, Role: statement.Owner, To: newWorld(t, 32).account(), Object: statement.ObjectAll, At: now})
	m := asMember(two[0])
	m.Digest[0]++
	m.Ring.Retired = haveOf(two[0]) // it would retire the constellation's keys
	m.Statements = []statement.Signed{w.sign(evil, admit), {Line: forged, Signature: w.sign(evil, admit).Signature}, w.sign(evil, grant)}
	before := two[0].store.Digest()
	if code, text, err := say(t, client(t, id, netip.Addr{}), two[0], Path, bytes.NewReader(m.append())); code != http.StatusOK {
		t.Fatalf("%d %s %v", code, text, err)
	}
	if two[0].store.Digest() != before || two[0].store.View().Admitted(fp) {
		t.Error("it made itself a member")
	}
	two[0].adm.mu.Lock()
	defer two[0].adm.mu.Unlock()
	if len(two[0].ring.Retired()) != 0 {
		t.Error("it retired keys")
	}
}

// TestAStrangerBringsOnlyWhatConcernsIt presents an owner's true words about others, which a member may bring.
func TestAStrangerBringsOnlyWhatConcernsIt(t *testing.T) {
	w := newWorld(t, 33)
	one := w.constellation(1)[0]
	id, third := stranger(t), stranger(t)
	fp, _ := keys.ParseFingerprint(third.Fingerprint())
	m := asMember(one)
	m.Statements = []statement.Signed{w.says(true, &sat{fp: fp}, 0)}
	if _, _, err := say(t, client(t, id, netip.Addr{}), one, Path, bytes.NewReader(m.append())); err != nil {
		t.Fatal(err)
	}
	if one.store.View().Admitted(fp) {
		t.Error("a stranger brought another's admission")
	}
	if _, _, err := say(t, client(t, third, netip.Addr{}), one, Path, bytes.NewReader(m.append())); err != nil {
		t.Fatal(err)
	}
	if !one.store.View().Admitted(fp) {
		t.Error("the control: its own admission is not taken")
	}
}

func TestStrangersAreBounded(t *testing.T) {
	w := newWorld(t, 34)
	two := w.constellation(2)
	id := stranger(t)
	t.Run("garbage and too long", func(t *testing.T) {
		c := client(t, id, netip.MustParseAddr("127.9.9.1"))
		for body, want := range map[string]int{
			"":              http.StatusBadRequest,
			"{":             http.StatusBadRequest,
			`{"version":9}`: http.StatusBadRequest,
			`{"version":1,"digest":"` + strings.Repeat("x", maxStrangerMessage) + `"}`: http.StatusRequestEntityTooLarge,
		} {
			if code, text, err := say(t, c, two[0], Path, strings.NewReader(body)); code != want {
				t.Errorf("%.30q: %d %s %v", body, code, text, err)
			}
		}
	})
	t.Run("four connections of one source, for five seconds", func(t *testing.T) {
		config, _ := id.ListenTLS()
		config.NextProtos = []string{"h2"}
		var open []*tls.Conn
		for range 12 {
			conn, err := (&tls.Dialer{Config: config, NetDialer: &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 9, 9, 2)}}}).Dial("tcp",
				netip.AddrPortFrom(w.addr(1), uint16(w.port)).String())
			if err != nil {
				continue
			}
			defer conn.Close()
			open = append(open, conn.(*tls.Conn))
		}
		limits := rpc.PeerLimits()
		alive := len(open)
		for range 5 { // who is refused may hear of it late
			if alive <= limits.StrangersPerSource {
				break
			}
			alive = 0
			for _, c := range open {
				_ = c.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
				if _, err := io.Copy(io.Discard, c); err != nil && isTimeout(err) {
					alive++
				}
			}
		}
		if alive != limits.StrangersPerSource {
			t.Errorf("%d connections are open, not %d", alive, limits.StrangersPerSource)
		}
		// Silent ones are sent away.
		time.Sleep(limits.Stay)
		for _, c := range open {
			_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
			if _, err := io.Copy(io.Discard, c); err != nil && isTimeout(err) {
				t.Error("a stranger's connection outlives its time")
			}
		}
	})
	t.Run("every place taken from four addresses", func(t *testing.T) {
		config, _ := id.ListenTLS()
		config.NextProtos = []string{"h2"}
		limits := rpc.PeerLimits()
		for n := range limits.Strangers {
			from := &net.TCPAddr{IP: net.IPv4(127, 9, 10, byte(n/limits.StrangersPerSource)+1)}
			conn, err := (&tls.Dialer{Config: config, NetDialer: &net.Dialer{LocalAddr: from}}).Dial("tcp",
				netip.AddrPortFrom(w.addr(1), uint16(w.port)).String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
		}
		newcomer := w.add(false)
		w.declare(newcomer, w.says(true, newcomer, 0))
		began := time.Now()
		if got := newcomer.adm.Introduce(t.Context(), []netip.Addr{w.addr(1)}); len(got) != 1 {
			t.Errorf("an honest newcomer cannot introduce itself among %d strangers", limits.Strangers)
		}
		t.Logf("among %d strangers a newcomer was introduced in %v", limits.Strangers, time.Since(began).Round(time.Millisecond))
	})
	t.Run("half-open handshakes", func(t *testing.T) {
		for n := range 600 { // more than may be under way
			d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 8, byte(n/100), byte(n%100)+1)}, Timeout: time.Second}
			conn, err := d.Dial("tcp", netip.AddrPortFrom(w.addr(1), uint16(w.port)).String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
		}
		// The constellation goes on meanwhile.
		fresh := stranger(t)
		fp, _ := keys.ParseFingerprint(fresh.Fingerprint())
		began := time.Now()
		w.declare(two[1], w.says(true, &sat{fp: fp}, 0))
		w.eventually(2*time.Second, "a statement passes", func() bool { return two[0].store.View().Admitted(fp) })
		l, err := two[1].adm.dial(t.Context(), netip.AddrPortFrom(w.addr(1), uint16(w.port)), two[0].fp)
		if err != nil {
			t.Fatalf("a member cannot connect among 600 half-open handshakes: %v", err)
		}
		l.close()
		t.Logf("with 600 half-open connections a statement passed and a member connected in %v", time.Since(began).Round(time.Millisecond))
	})
	t.Run("requests", func(t *testing.T) {
		c := client(t, id, netip.MustParseAddr("127.9.9.4"))
		refused := 0
		for range 30 {
			if code, _, err := say(t, c, two[0], Path, bytes.NewReader(asMember(two[0]).append())); err == nil && code == http.StatusTooManyRequests {
				refused++
			}
		}
		if refused < 10 {
			t.Errorf("%d of 30 requests at once were refused", refused)
		}
	})
}

func isTimeout(err error) bool {
	n, ok := err.(net.Error)
	return ok && n.Timeout()
}

// TestAnImpostorIsNotTalkedTo lets another answer at a member's address.
func TestAnImpostorIsNotTalkedTo(t *testing.T) {
	w := newWorld(t, 35)
	two := w.constellation(2)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if _, err := two[0].adm.dial(ctx, netip.AddrPortFrom(w.addr(2), uint16(w.port)), two[0].fp); err == nil {
		t.Error("it was taken for another")
	}
	l, err := two[0].adm.dial(ctx, netip.AddrPortFrom(w.addr(2), uint16(w.port)), two[1].fp)
	if err != nil {
		t.Fatal(err)
	}
	l.close()
}

func FuzzParse(f *testing.F) {
	k := keyring.New(keys.Fingerprint{1})
	if _, err := k.Advance(time.Unix(1767323045, 0), nil, bytes.NewReader(bytes.Repeat([]byte{7}, 64))); err != nil {
		f.Fatal(err)
	}
	f.Add(message{Version: version}.append())
	f.Add(message{Version: version, Statements: []statement.Signed{{Line: "decenter", Signature: "x"}},
		Ring: &ringPart{Have: k.Have(), Retired: []keyring.ID{"0123456789abcdef"}, Keys: k.Give(nil)}}.append())
	f.Add([]byte(`{"version":1,"ring":{"keys":[null]}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := parse(text)
		if err != nil {
			return
		}
		b := m.append()
		again, err := parse(b)
		if err != nil {
			t.Fatalf("what was written does not read back: %v", err)
		}
		if c := again.append(); !bytes.Equal(b, c) || !json.Valid(c) {
			t.Fatalf("%s is read back as %s", b, c)
		}
		between(keys.Mainnet, m.Statements, [2]keys.Fingerprint{}, false)
	})
}
