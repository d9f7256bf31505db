package proof

import (
	"fmt"
	"time"

	"decenter/engine/api"
	"decenter/keys"
)

// Bounds of what is remembered. Of one asking satellite 65,536 requests within a minute are more than a person and scripts
// bring about; all together are bounded below what they could add up to, so that a few that misbehave do not fill the
// memory. Reserved are those that each may have whatever the others do: nobody is kept out by them.
const (
	maxNonces      = 1 << 16 // of one asking satellite
	maxAllNonces   = 1 << 18
	reservedNonces = 1 << 8
	maxAskers      = 1 << 10
)

// At most this many nonces are held; at about 60 bytes each.
const _ = uint(1<<19 - (maxAllNonces + maxAskers*reservedNonces))

// asker is what is remembered of one asking satellite.
type asker struct {
	seen map[keys.Nonce]struct{}
	due  map[int64][]keys.Nonce // by the second of their requests' time
	skew time.Duration          // its clock less ours, when it last asked
}

// nonces are those of requests that could still be fresh. It has no lock.
type nonces struct {
	askers map[keys.Fingerprint]*asker
	count  int       // of all askers' nonces
	floor  time.Time // of what was asked before, nonces may be forgotten; never goes back
}

func newNonces(began time.Time) nonces {
	return nonces{askers: map[keys.Fingerprint]*asker{}, floor: began}
}

// forget drops the nonces of requests that are stale by now.
func (n *nonces) forget(now time.Time) {
	limit := now.Add(-MaxSkew)
	if !limit.After(n.floor) {
		return
	}
	before := n.floor.Unix()
	n.floor = limit
	if limit.Unix() == before {
		return // nonces go by whole seconds
	}
	for _, a := range n.askers {
		for second, all := range a.due {
			if second < limit.Unix() {
				for _, x := range all {
					delete(a.seen, x)
				}
				n.count -= len(all)
				delete(a.due, second)
			}
		}
		if len(a.seen) == 0 {
			a.seen = map[keys.Nonce]struct{}{} // maps do not shrink
		}
	}
}

// of gives what is remembered of an asker; nil where there is no room for one more.
func (n *nonces) of(id keys.Fingerprint) *asker {
	if a := n.askers[id]; a != nil {
		return a
	}
	if len(n.askers) >= maxAskers {
		for other, a := range n.askers {
			if len(a.seen) == 0 {
				delete(n.askers, other)
				break
			}
		}
	}
	if len(n.askers) >= maxAskers {
		return nil
	}
	a := &asker{seen: map[keys.Nonce]struct{}{}, due: map[int64][]keys.Nonce{}}
	n.askers[id] = a
	return a
}

// take remembers the nonce of a request made at t, or tells why it cannot be taken.
func (n *nonces) take(id keys.Fingerprint, nonce keys.Nonce, t time.Time, without check) error {
	a := n.of(id)
	if a == nil {
		return full(fmt.Sprintf("%d other satellites asked within a minute", maxAskers))
	}
	if _, taken := a.seen[nonce]; taken {
		if without&checkReplay != 0 {
			return nil
		}
		return denied("this request was carried out before", "ask anew: each request has a nonce of its own")
	}
	switch have := len(a.seen); {
	case have >= maxNonces:
		return full(fmt.Sprintf("satellite %s asked %d times within a minute", id, have))
	case have >= reservedNonces && n.count >= maxAllNonces:
		return full(fmt.Sprintf("satellites asked %d times within a minute", n.count))
	}
	a.seen[nonce] = struct{}{}
	a.due[t.Unix()] = append(a.due[t.Unix()], nonce)
	n.count++
	return nil
}

func full(why string) error {
	return &api.Error{Code: api.CodeExhausted, Message: why + ", more than is remembered against replays", Hint: "try again in a minute"}
}
