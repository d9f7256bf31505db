package keyring

import (
	"io"
	"slices"
	"time"

	"decenter/keys"
)

// Effects is what Advance did.
type Effects struct {
	Minted  bool // a key to hand to all live peers at once
	Changed bool // the ring is another than before: save it, and set the radar's keys
}

// Advance lets time pass: it mints where that is due, chooses the primary, and forgets what is over. live are the admitted
// satellites that are live now, but for this. It is to be called every second, and after Observe and Heard.
func (r *Ring) Advance(now time.Time, live []keys.Fingerprint, dice io.Reader) (Effects, error) {
	for _, k := range r.known {
		// A clock that was set back must not make keys that last too long.
		if k.learned.After(now) {
			k.learned = now
		}
		if k.retired.After(now) {
			k.retired = now
		}
	}
	if r.since.After(now) {
		r.since = now
	}
	var out Effects
	if r.due(now, live) {
		created := now.Unix()
		for _, k := range r.known {
			if !k.isRetired() {
				created = max(created, k.Created+1)
			}
		}
		k, err := newKey(dice, max(created, 0), r.self)
		if err != nil {
			return out, err
		}
		r.add(k, now)
		out = Effects{Minted: true, Changed: true}
	}
	if id := r.choose(now, live); id != r.primary {
		r.primary, r.since, out.Changed = id, now, true
	}
	if r.sweep(now) {
		out.Changed = true
	}
	return out, nil
}

// due tells whether this satellite should mint a key now.
func (r *Ring) due(now time.Time, live []keys.Fingerprint) bool {
	if k := r.newest(); k != nil {
		spread := time.Duration(draw(r.self, k.id) % uint64(RotateSpread))
		return now.Sub(k.learned) >= RotateAfter+spread
	}
	if len(r.known) == 0 {
		return true
	}
	last := r.known[len(r.known)-1]
	mine, before := draw(r.self, last.id), 0
	for _, f := range live {
		if f != r.self && draw(f, last.id) < mine {
			before++
		}
	}
	began := last.retired
	for _, k := range r.known {
		if k.retired.After(began) {
			began = k.retired
		}
	}
	return now.Sub(began) >= time.Duration(min(before, maxTurns))*turn
}

// choose gives the key to encrypt with.
func (r *Ring) choose(now time.Time, live []keys.Fingerprint) ID {
	patience := Patience
	primary := r.find(r.primary)
	if primary == nil || primary.isRetired() {
		patience = PatienceRetired
	}
	for _, k := range slices.Backward(r.known) {
		if !k.isRetired() && (now.Sub(k.learned) >= patience || r.all(k, live)) {
			return k.id
		}
	}
	if primary != nil {
		return primary.id
	}
	if k := r.newest(); k != nil {
		return k.id
	}
	if len(r.known) > 0 {
		return r.known[len(r.known)-1].id
	}
	return ""
}

// all tells whether every live satellite said that it has the key.
func (r *Ring) all(k *known, live []keys.Fingerprint) bool {
	for _, f := range live {
		if _, has := k.has[f]; !has && f != r.self {
			return false
		}
	}
	return true
}

// sweep forgets keys whose time is over, and what is beyond MaxKeys. The primary stays.
func (r *Ring) sweep(now time.Time) (changed bool) {
	primary := r.find(r.primary)
	if primary == nil {
		return false
	}
	over := func(k *known) bool {
		switch {
		case k == primary:
			return false
		case k.isRetired():
			return !primary.isRetired() && now.Sub(k.retired) >= Grace
		}
		return k.compare(primary.Key) < 0 && now.Sub(r.since) >= ForgetAfter && now.Sub(k.learned) >= ForgetAfter
	}
	before := len(r.known)
	r.known = slices.DeleteFunc(r.known, func(k *known) bool {
		if over(k) {
			r.gone = remember(r.gone, k.id)
			return true
		}
		return false
	})
	for len(r.known) > MaxKeys {
		n := slices.IndexFunc(r.known, func(k *known) bool { return k.isRetired() && k != primary })
		if n < 0 {
			n = slices.IndexFunc(r.known, func(k *known) bool { return k != primary })
		}
		r.known = slices.Delete(r.known, n, n+1) // not remembered as gone: it may be wanted when there is room
	}
	return len(r.known) != before
}
