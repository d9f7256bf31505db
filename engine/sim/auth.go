package sim

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"

	"decenter/net/frame"
	"decenter/net/tree"
)

// auth gives the satellites keys, and makes all admit all.
type auth struct {
	dice *rand.Rand
	keys []ed25519.PrivateKey // by satellite
	ids  map[[32]byte]frame.MAC
}

func newAuth(w *world) *auth {
	a := &auth{dice: rand.New(rand.NewPCG(w.s.Seed, 6000)), ids: map[[32]byte]frame.MAC{}}
	for _, s := range w.sats {
		seed := sha256.Sum256(s.id[:])
		a.keys = append(a.keys, ed25519.NewKeyFromSeed(seed[:]))
		a.ids[a.public(s)] = s.id
	}
	return a
}

func (a *auth) public(s *satellite) [32]byte {
	return [32]byte(a.keys[s.number].Public().(ed25519.PublicKey))
}

// of gives what a satellite proves itself with.
func (a *auth) of(s *satellite) *tree.Auth {
	key := a.keys[s.number]
	return &tree.Auth{Public: a.public(s), Sign: func(m []byte) []byte { return ed25519.Sign(key, m) },
		Dice: func() (b [32]byte) {
			for i := range 4 {
				binary.LittleEndian.PutUint64(b[8*i:], a.dice.Uint64())
			}
			return b
		},
		Identify: func(public [32]byte) (frame.MAC, bool) { id, ok := a.ids[public]; return id, ok }}
}
