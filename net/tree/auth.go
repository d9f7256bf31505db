package tree

import (
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"time"

	"decenter/net/frame"
)

// Auth is what a satellite proves itself with, and judges others by. None of its functions may wait.
type Auth struct {
	// Public is the satellite's ed25519 key.
	Public [32]byte
	// Sign signs with it (RFC 8032); anything but 64 bytes is no signature, and no adjacency begins.
	Sign func(message []byte) []byte
	// Identify gives the id that belongs to a key, and whether the key's holder may be a neighbour. It is asked at every
	// Hello, so that who is ejected goes at once.
	Identify func(public [32]byte) (id frame.MAC, admitted bool)
	// Dice gives bytes that nobody else can know or guess, new ones every time.
	Dice func() [32]byte
}

// From the standards.
const (
	keyLen = 32 // X25519 (RFC 7748), ed25519 (RFC 8032), HMAC-SHA256 (RFC 2104)
)

// Ours. The labels keep what is said here apart from whatever else the satellite's key signs.
const (
	proofLabel = "decenter satellite tree 1: proof\x00"
	sealLabel  = "decenter satellite tree 1: seal\x00"
	endLen     = 6 + 4 + 8 + 2*keyLen

	// meetings bounds how many Hellos without a seal a port looks into in Config.Hello: each may cost a signature, a
	// verification and a Diffie-Hellman, some 200 µs together.
	meetings = 64
	// answerPause is the least time between two answers that a port with a neighbour gives to others.
	answerPause = 100 * time.Millisecond
)

// secrets are a port's keys. mine begins with the session, the others when a peer is bound.
type secrets struct {
	private *ecdh.PrivateKey // of mine.Ephemeral; nil as soon as it is not needed any more
	mine    frame.Keys
	nonceAt time.Duration // when mine.Nonce was thrown

	theirs  frame.Keys // as the bound peer showed them
	keyed   bool       // out and in are set
	out, in [keyLen]byte
	number  uint64 // of the last frame sealed; never falls, whatever the key
	window  window

	signed signed // the last proof made
	guest  guest  // who else is to get a proof

	met     int // in this Config.Hello
	metFrom time.Duration
}

// signed remembers for whom the last proof was made: the same is not signed twice.
type signed struct {
	to    frame.Peer
	keys  frame.Keys
	by    [keyLen]byte // our ephemeral
	proof frame.Proof
}

// guest is somebody who said Hello to a port that has a neighbour, and cannot prove himself before we prove ourselves.
type guest struct {
	peer frame.Peer
	keys frame.Keys
	at   time.Duration
}

// fresh are the secrets of a session that begins.
func (c *Core) fresh(p *port) {
	a := c.cfg.Auth
	if a == nil {
		return
	}
	s := secrets{number: p.sec.number, met: p.sec.met, metFrom: p.sec.metFrom}
	seed := a.Dice()
	private, err := ecdh.X25519().NewPrivateKey(seed[:])
	if err != nil {
		panic("tree: " + err.Error()) // any 32 bytes are a key
	}
	s.private = private
	s.mine = frame.Keys{Public: a.Public, Ephemeral: [keyLen]byte(private.PublicKey().Bytes())}
	p.sec = s
	c.throw(p)
}

// throw asks whoever proves himself from now on for a new proof.
func (c *Core) throw(p *port) {
	d := c.cfg.Auth.Dice()
	p.sec.mine.Nonce, p.sec.nonceAt = binary.BigEndian.Uint64(d[:]), c.now
	c.changed = true
}

// forget is what is left of the secrets when the peer is forgotten but the session goes on.
func (s *secrets) forget() secrets {
	return secrets{private: s.private, mine: s.mine, nonceAt: s.nonceAt, number: s.number, met: s.met, metFrom: s.metFrom}
}

// key makes the two keys of the adjacency with the bound peer. Without them nothing is sealed, and nothing opens.
func (c *Core) key(p *port, theirs frame.Keys) {
	s := &p.sec
	s.theirs, s.keyed, s.window = theirs, false, window{}
	public, err := ecdh.X25519().NewPublicKey(theirs.Ephemeral[:])
	if err != nil || s.private == nil {
		return
	}
	secret, err := s.private.ECDH(public)
	if err != nil { // a key of low order: the secret would be known to all
		return
	}
	me, you := appendEnd(nil, c.me(p), s.mine), appendEnd(nil, p.peer.Peer, theirs)
	s.out, s.in = sealKey(secret, me, you), sealKey(secret, you, me)
	s.keyed = true
}

// sealKey is HKDF-SHA256 (RFC 5869) of the common secret for what one end says to the other.
func sealKey(secret, from, to []byte) [keyLen]byte {
	k, err := hkdf.Key(sha256.New, secret, nil, sealLabel+string(from)+string(to), keyLen)
	if err != nil {
		panic("tree: " + err.Error()) // 32 bytes can always be had
	}
	return [keyLen]byte(k)
}

// appendEnd says one end of an adjacency: id 6, port 4, session 8, public key 32, ephemeral key 32.
func appendEnd(b []byte, e frame.Peer, k frame.Keys) []byte {
	b = append(b, e.ID[:]...)
	b = binary.BigEndian.AppendUint32(b, e.Port)
	b = binary.BigEndian.AppendUint64(b, e.Session)
	b = append(b, k.Public[:]...)
	return append(b, k.Ephemeral[:]...)
}

// statement is what a proof signs: the label, the signer's end, the end it is for, and that one's nonce.
func statement(by frame.Peer, byKeys frame.Keys, to frame.Peer, toKeys frame.Keys) []byte {
	b := append(make([]byte, 0, len(proofLabel)+2*endLen+8), proofLabel...)
	b = appendEnd(appendEnd(b, by, byKeys), to, toKeys)
	return binary.BigEndian.AppendUint64(b, toKeys.Nonce)
}

// prove makes our proof for another end, or gives the one made before.
func (c *Core) prove(p *port, to frame.Peer, keys frame.Keys) frame.Proof {
	s := &p.sec
	if s.signed.to == to && s.signed.keys == keys && s.signed.by == s.mine.Ephemeral {
		return s.signed.proof
	}
	sig := c.cfg.Auth.Sign(statement(c.me(p), s.mine, to, keys))
	if len(sig) != ed25519.SignatureSize {
		return frame.Proof{}
	}
	s.signed = signed{to, keys, s.mine.Ephemeral, frame.Proof{To: to, Signature: [64]byte(sig)}}
	return s.signed.proof
}

// proven tells whether a Hello proves, here and now, that its sender holds the key it shows.
func (c *Core) proven(p *port, h *frame.Hello) bool {
	if h.Proof.To != c.me(p) {
		return false
	}
	msg := statement(end(h), h.Keys, c.me(p), p.sec.mine)
	if !ed25519.Verify(h.Keys.Public[:], msg, h.Proof.Signature[:]) && c.broken&ruleProof == 0 {
		c.counters.Forged++ // or made for a nonce that is gone
		return false
	}
	if c.now-p.sec.nonceAt >= c.cfg.Hello/2 { // not at once: another one's proof may be under way
		c.throw(p)
	}
	return true
}

// end is the sender's end of a Hello.
func end(h *frame.Hello) frame.Peer {
	return frame.Peer{ID: h.Self.ID, Port: h.Self.Port, Session: h.Self.Session}
}

// seal ends a frame with its seal, once there is a key.
func (p *port) seal(b []byte) []byte {
	s := &p.sec
	if !s.keyed {
		return b
	}
	s.number++
	return frame.AppendSeal(b, s.number, func(covered []byte) [frame.SealTagLen]byte { return tag(&s.out, covered) })
}

// tag is HMAC-SHA256-128 (RFC 2104 section 5).
func tag(key *[keyLen]byte, covered []byte) [frame.SealTagLen]byte {
	m := hmac.New(sha256.New, key[:])
	m.Write(covered)
	var sum [sha256.Size]byte
	return [frame.SealTagLen]byte(m.Sum(sum[:0]))
}

// sealed tells whether the bound peer sealed the frame, and whether that is news: each frame counts once.
func (p *port) sealed(b []byte, s frame.Seal) (genuine, news bool) {
	covered, has := frame.Covered(b)
	if !has || !p.sec.keyed {
		return false, false
	}
	want := tag(&p.sec.in, covered)
	if !hmac.Equal(want[:], s.Tag[:]) {
		return false, false
	}
	return true, p.sec.window.take(s.Number)
}

// window knows the numbers that were there: all up to top, but for those of the 64 last whose bit is clear. It is the
// anti-replay window of RFC 4303 section 3.4.3.
type window struct {
	Top  uint64
	Bits uint64 // bit i: Top-i was there
}

// take tells whether n comes for the first time; one too old to tell does not.
func (w *window) take(n uint64) bool {
	switch {
	case n == 0:
		return false
	case n > w.Top:
		if d := n - w.Top; d < 64 {
			w.Bits = w.Bits<<d | 1
		} else {
			w.Bits = 1
		}
		w.Top = n
		return true
	case w.Top-n >= 64 || w.Bits&(1<<(w.Top-n)) != 0:
		return false
	}
	w.Bits |= 1 << (w.Top - n)
	return true
}
