package tree

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"

	"decenter/net/frame"
)

// auth gives the world's satellites keys of seeds, and makes all know all; Config.Admit judges whom they admit.
type auth struct {
	rng   *rand.Rand
	keys  map[*node]ed25519.PrivateKey
	nodes map[[32]byte]*node
}

func newAuth(seed uint64) *auth {
	return &auth{rng: rand.New(rand.NewPCG(seed, 78)), keys: map[*node]ed25519.PrivateKey{}, nodes: map[[32]byte]*node{}}
}

func (a *auth) dice() (b [32]byte) {
	for i := range 4 {
		binary.LittleEndian.PutUint64(b[8*i:], a.rng.Uint64())
	}
	return b
}

// key is a satellite's, from the place where it stands.
func (a *auth) key(n *node) ed25519.PrivateKey {
	if a.keys[n] == nil {
		seed := sha256.Sum256(n.id[:])
		a.keys[n] = ed25519.NewKeyFromSeed(seed[:])
		a.nodes[a.public(n)] = n
	}
	return a.keys[n]
}

func (a *auth) public(n *node) [32]byte { return [32]byte(a.key(n).Public().(ed25519.PublicKey)) }

// authenticate completes a satellite's configuration, unless the world takes everybody's word.
func (n *node) authenticate(cfg *Config) {
	w := n.w
	if cfg.Unauthenticated {
		return
	}
	key, admit := w.auth.key(n), cfg.Admit
	cfg.Auth = &Auth{Public: w.auth.public(n), Dice: w.auth.dice,
		Sign: func(m []byte) []byte { return ed25519.Sign(key, m) },
		Identify: func(public [32]byte) (frame.MAC, bool) {
			who := w.auth.nodes[public]
			if who == nil {
				for _, n := range w.nodes {
					w.auth.key(n)
				}
				who = w.auth.nodes[public]
			}
			if who == nil {
				return frame.MAC{0xee}, false
			}
			return who.id, admit == nil || admit(who.id)
		}}
	if n.tamper != nil {
		n.tamper(cfg.Auth)
	}
}

// config is that of a satellite that starts.
func (n *node) config() Config {
	cfg := n.w.cfg
	cfg.ID, cfg.Instance = n.id, 5
	n.authenticate(&cfg)
	return cfg
}

// forge seals a frame as the neighbour would.
func (p *port) forge(b []byte) []byte {
	if !p.sec.keyed {
		return b
	}
	return frame.AppendSeal(b, p.sec.window.Top+1, func(covered []byte) [frame.SealTagLen]byte { return tag(&p.sec.in, covered) })
}
