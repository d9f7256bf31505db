package keyring

import (
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"slices"
	"time"

	"decenter/keys"
)

// The rules' times, each counted by the satellite's own clock.
const (
	RotateAfter     = 24 * time.Hour   // from learning of the newest key to minting another
	RotateSpread    = time.Hour        // the longest that a satellite waits beyond that
	Patience        = time.Minute      // for a live peer to say that it has a key
	PatienceRetired = 5 * time.Second  // likewise, while the primary is retired
	Grace           = 10 * time.Second // for retired keys, from their retirement on, if there is another
	ForgetAfter     = time.Hour        // for older keys, from when another became the primary
	turn            = 500 * time.Millisecond
	maxTurns        = 6 // who is later in order mints in this turn too
)

// The bounds.
const (
	MaxKeys     = 8  // in the ring; memberlist tries each with what it cannot read
	MaxGone     = 64 // ids of keys that are not taken again
	MaxEjected  = 4096
	maxTellings = 4096 // peers whose word on a key is kept
)

// All of a retired primary's life after its retirement lies within Grace: the last turn, and the patience after it.
var _ = [1]struct{}{}[min(0, int(Grace-PatienceRetired-maxTurns*turn))]

// Ring is what one satellite knows. It is not safe for concurrent use.
type Ring struct {
	self    keys.Fingerprint
	known   []*known // in order, the newest last; at most MaxKeys
	primary ID       // of one of known; empty while there is none
	since   time.Time
	shared  bool                          // another said that it has one of these keys
	retired []ID                          // spread to all; at most MaxGone, the newest last
	gone    []ID                          // forgotten, not taken again; at most MaxGone, the newest last
	ejected map[keys.Fingerprint]struct{} // as of the last Observe
}

type known struct {
	Key
	learned time.Time
	retired time.Time // zero: it is not
	has     map[keys.Fingerprint]struct{}
}

func (k *known) isRetired() bool { return !k.retired.IsZero() }

// New is a ring without a key. Advance mints the first.
func New(self keys.Fingerprint) *Ring {
	return &Ring{self: self, ejected: map[keys.Fingerprint]struct{}{}}
}

// Lone tells whether no other satellite is known to have any of the keys.
func (r *Ring) Lone() bool { return !r.shared }

// Primary is the key to encrypt with, and all others that decrypt. ok is false before the first Advance.
func (r *Ring) Primary() (primary Key, others []Key, ok bool) {
	for _, k := range r.known {
		if k.id == r.primary {
			primary, ok = k.Key, true
		} else {
			others = append(others, k.Key)
		}
	}
	return primary, others, ok
}

// Secrets is Primary as the radar takes it.
func (r *Ring) Secrets() (primary []byte, others [][]byte) {
	p, rest, ok := r.Primary()
	if !ok {
		return nil, nil
	}
	for _, k := range rest {
		others = append(others, k.Secret())
	}
	return p.Secret(), others
}

// Have lists the ids of the keys that are known and not retired, the oldest first.
func (r *Ring) Have() []ID {
	var ids []ID
	for _, k := range r.known {
		if !k.isRetired() {
			ids = append(ids, k.id)
		}
	}
	return ids
}

// Retired lists the ids that are retired.
func (r *Ring) Retired() []ID { return slices.Clone(r.retired) }

// Give lists the keys for a satellite that has some already. Retired ones are given to nobody. Whether the satellite may
// have them is the caller's to know: it is admitted, and its Basis is this ring's.
func (r *Ring) Give(has []ID) []Key {
	var out []Key
	for _, k := range r.known {
		if !k.isRetired() && !slices.Contains(has, k.id) {
			out = append(out, k.Key)
		}
	}
	return out
}

// Basis is a digest of the ejections that the ring knows of (Observe). Keys pass only between equal ones.
func (r *Ring) Basis() [32]byte { return BasisOf(slices.Collect(maps.Keys(r.ejected))) }

// BasisOf digests a set of fingerprints.
func BasisOf(ejected []keys.Fingerprint) [32]byte {
	h := sha256.New()
	for _, f := range sorted(ejected) {
		h.Write(f[:])
	}
	return [32]byte(h.Sum(nil))
}

func sorted(set []keys.Fingerprint) []keys.Fingerprint {
	set = slices.Clone(set)
	slices.SortFunc(set, func(a, b keys.Fingerprint) int { return slices.Compare(a[:], b[:]) })
	return slices.Compact(set)
}

// Observe takes the satellites that are ejected, as far as this one knows by now. For each new one, all keys are retired;
// if it is this satellite itself, they are erased. It tells whether anything changed.
func (r *Ring) Observe(now time.Time, ejected []keys.Fingerprint) (changed bool) {
	ejected = sorted(ejected)
	fresh := make(map[keys.Fingerprint]struct{}, len(ejected))
	added := false
	for _, f := range ejected[:min(len(ejected), MaxEjected)] {
		fresh[f] = struct{}{}
		if _, knew := r.ejected[f]; !knew {
			added = true
		}
	}
	changed = added || len(fresh) != len(r.ejected)
	_, was := r.ejected[r.self]
	_, out := fresh[r.self]
	r.ejected = fresh
	switch {
	case out && !was:
		r.known, r.primary, r.shared, r.gone, r.retired = nil, "", false, nil, nil
	case added:
		for _, k := range r.known {
			r.retire(now, k)
		}
	}
	return changed
}

func (r *Ring) retire(now time.Time, k *known) {
	if !k.isRetired() {
		k.retired = now
	}
	r.retired = remember(r.retired, k.id)
}

// remember appends an id that is not in the list, and lets the oldest go beyond MaxGone.
func remember(ids []ID, id ID) []ID {
	if slices.Contains(ids, id) {
		return ids
	}
	ids = append(ids, id)
	return ids[max(0, len(ids)-MaxGone):]
}

// Telling is what a satellite says of its ring.
type Telling struct {
	Lone    bool  // as of Ring.Lone
	Have    []ID  // keys that are not retired
	Retired []ID  // keys that are
	Keys    []Key // given, because this satellite did not say to have them
}

// Heard takes what an admitted peer of the same Basis says. It tells whether the ring changed.
func (r *Ring) Heard(now time.Time, peer keys.Fingerprint, t Telling) (changed bool) {
	if peer == r.self {
		return false
	}
	for _, id := range t.Retired {
		if slices.Contains(r.retired, id) {
			continue
		}
		r.retired, changed = remember(r.retired, id), true
		if k := r.find(id); k != nil {
			r.retire(now, k)
		}
	}
	lone := r.Lone()
	// Who shares its keys with others keeps them; a lone satellite comes to it. Unless there is nothing to come to.
	if lone || !t.Lone || r.newest() == nil {
		changed = r.take(now, t.Keys) || changed
	}
	given := slices.ContainsFunc(t.Have, func(id ID) bool { return r.find(id) != nil })
	if lone && !t.Lone && given {
		before := len(r.known)
		// Not remembered as gone: should another have got one of these before an answer was lost, it is taken back.
		r.known = slices.DeleteFunc(r.known, func(k *known) bool { return !slices.Contains(t.Have, k.id) })
		changed = changed || len(r.known) != before
	}
	for _, k := range r.known {
		if slices.Contains(t.Have, k.id) {
			changed = changed || !r.shared
			r.shared = true
			if len(k.has) < maxTellings {
				k.has[peer] = struct{}{}
			}
		} else {
			delete(k.has, peer)
		}
	}
	return changed
}

// take adds keys that are new.
func (r *Ring) take(now time.Time, given []Key) (changed bool) {
	for _, k := range given {
		if len(r.known) >= 2*MaxKeys {
			break // Advance keeps MaxKeys of these
		}
		if r.find(k.id) == nil && !slices.Contains(r.gone, k.id) && !slices.Contains(r.retired, k.id) {
			r.add(k, now)
			changed = true
		}
	}
	return changed
}

func (r *Ring) add(k Key, now time.Time) {
	r.known = append(r.known, &known{Key: k, learned: now, has: map[keys.Fingerprint]struct{}{}})
	slices.SortFunc(r.known, func(a, b *known) int { return a.compare(b.Key) })
}

func (r *Ring) find(id ID) *known {
	for _, k := range r.known {
		if k.id == id {
			return k
		}
	}
	return nil
}

// newest is the newest key that is not retired, or nil.
func (r *Ring) newest() *known {
	for _, k := range slices.Backward(r.known) {
		if !k.isRetired() {
			return k
		}
	}
	return nil
}

// draw is a number that each satellite has of its own for each key.
func draw(f keys.Fingerprint, id ID) uint64 {
	sum := sha256.Sum256(append(f[:], id...))
	return binary.BigEndian.Uint64(sum[:8])
}
