package fabric

import (
	"bytes"
	"crypto/ed25519"
	"os"
	"testing"
	"time"

	"decenter/net/frame"
	"decenter/net/tree"
)

// authOf is the key of the nth satellite, who knows all others' keys.
func authOf(n int) *tree.Auth {
	key := func(n int) ed25519.PrivateKey { return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{byte(n)}, 32)) }
	return &tree.Auth{Public: [32]byte(key(n).Public().(ed25519.PublicKey)), Dice: Dice,
		Sign: func(m []byte) []byte {
			if os.Getenv("IMPOSTOR") != "" { // who shows a key and does not have it
				return ed25519.Sign(key(200), m)
			}
			return ed25519.Sign(key(n), m)
		},
		Identify: func(public [32]byte) (frame.MAC, bool) {
			for i := range 10 {
				if [32]byte(key(i).Public().(ed25519.PublicKey)) == public {
					return macOf(i), true
				}
			}
			return frame.MAC{}, false
		}}
}

// Somebody sits where a satellite sat, with its MAC, its id and the key it showed, but cannot sign. The control is the same
// program before, with the signing key.
func TestAnImpostorIsNoNeighbour(t *testing.T) {
	sats := ring(t, 2)
	settled(t, sats)
	sats[1].kill()
	if err := sats[1].role("uninstall").Run(); err != nil {
		t.Fatal(err)
	}
	waits(t, "the satellite is gone", func() bool { return len(sats[0].tree().Nodes) == 1 })
	sats[1].env = []string{"IMPOSTOR=1"}
	sats[1].start()
	time.Sleep(3 * time.Second)
	for i, s := range sats {
		if tr := s.tree(); len(tr.Nodes) != 1 {
			t.Errorf("satellite %d sees %d nodes", i+1, len(tr.Nodes))
		}
	}
	if reaches(sats[1], sats[0], 1) {
		t.Error("his frames are forwarded")
	}
	sats[1].kill()
	sats[1].env = nil
	sats[1].start()
	settled(t, sats)
}
