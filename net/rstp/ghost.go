package rstp

import (
	"time"

	"decenter/net/frame"
)

// The known weakness of RSTP is counting to infinity: when the way to a root is lost, what a bridge told of it
// still goes around among its neighbours and comes back as if it were another way, dearer each time. Bridges that
// believe it open ports for it, and while they do, loops were seen (also among bridges that follow the standard to
// the letter; see the tests).
//
// A way that costs its bridge at least what we said lately that ours costs may be our own word come back. One that
// costs less cannot be. So such a root port neither forwards nor agrees until its vector has stood for
// confirmTime, which is more than a hello time: a ghost's does not stand, because it grows with every round. Only
// where several bridges on its way have reached their transmit limit (a second each) can a round take longer; it
// ends when the message age reaches its maximum.
const (
	confirmTime = 2500 * time.Millisecond
	ghostTime   = 6 * time.Second // as long as information counts, after we said otherwise
	maxWords    = 16
)

// word is what we told of the way to a root.
type word struct {
	root  frame.BridgeID
	cost  uint32
	until time.Duration // told last
}

// said notes what we cease to tell.
func (e *Engine) said(v vector) {
	keep := e.words[:0]
	for _, w := range e.words {
		if e.on(w.until+ghostTime) && (w.root != v.root || w.cost < v.cost) {
			keep = append(keep, w)
		}
	}
	if len(keep) == maxWords {
		keep = keep[1:]
	}
	e.words = append(keep, word{v.root, v.cost, e.now})
}

// suspect tells whether p's way may be our own word come back, and has not stood for long enough.
func (e *Engine) suspect(p *port) bool {
	if e.broken&ruleGhost != 0 || !e.on(p.since+confirmTime) {
		return false
	}
	for _, w := range e.words {
		if w.root == p.priority.root && w.cost <= p.priority.cost && e.on(w.until+ghostTime) {
			return true
		}
	}
	return false
}
