package engine

import (
	"sync"
	"time"

	"decenter/engine/api"
)

// pace bounds how fast the audit log fills: it keeps 64 MiB, some 100,000 decisions, and who could write so many would wash out
// what was written before. Who is too fast is refused; how many were is written down when there is room again.
type pace struct {
	now func() time.Time

	mu      sync.Mutex
	sources map[source]*allowance // at most maxSources; one that is not there has all of its burst
}

// source is on whose account decisions are written down. What a satellite brings for an account is apart from what the
// account does elsewhere: a satellite that misuses a login must not keep its account from revoking that.
type source struct {
	kind          sourceKind
	account, from string // from is a satellite; empty: none is known, or it does not matter
}

type sourceKind uint8

const (
	byAccount   sourceKind = iota // that was proved
	bySatellite                   // that is admitted, and brought a request of nobody
	byStrangers                   // on the satellites' port, all together
	atLogin                       // who proved nothing at a login, all together: the SSH server bounds each address
)

// paces are decisions per second, and at once. One account needs a day to fill the log.
var paces = map[sourceKind]struct{ rate, burst float64 }{
	byAccount: {1, 1000}, bySatellite: {0.1, 50}, byStrangers: {0.1, 50}, atLogin: {1, 500},
}

const maxSources = 4096

type allowance struct {
	left   float64
	at     time.Time
	missed int               // refused since the last that was written down
	denied map[string]repeat // reads, by what was read and why not; at most maxRepeats
}

// repeat is a denied read that was written down, and how often it was denied again since.
type repeat struct {
	at time.Time
	n  int
}

// A console asks every second, also for what it may not see. The same denial within repeatWindow is one entry: the first, and
// the count of the others is in the next.
const (
	repeatWindow = 10 * time.Minute
	maxRepeats   = 64
)

// again tells whether a denied read was written down a moment ago; if not, it is to be now, and stands for n.
func (p *pace) again(s source, what string) (n int, again bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	a := p.of(s, now)
	r, known := a.denied[what]
	if age := now.Sub(r.at); known && age >= 0 && age < repeatWindow {
		r.n++
		a.denied[what] = r
		return 0, true
	}
	if a.denied == nil || len(a.denied) >= maxRepeats {
		a.denied = map[string]repeat{}
	}
	a.denied[what] = repeat{at: now}
	return r.n, false
}

// errTooMany is what those hear who are too fast.
var errTooMany = &api.Error{Code: api.CodeExhausted, Message: "too many requests that are written down one by one in the audit log",
	Hint: "wait: one more is taken each second, and many again in some minutes"}

func newPace(now func() time.Time) *pace { return &pace{now: now, sources: map[source]*allowance{}} }

// take tells whether a decision may be written down, and how many were not since the last that was.
func (p *pace) take(s source) (missed int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.of(s, p.now())
	if a.left < 1 {
		a.missed++
		return 0, errTooMany
	}
	a.left--
	missed, a.missed = a.missed, 0
	return missed, nil
}

// of gives a source's allowance as of now. mu is held.
func (p *pace) of(s source, now time.Time) *allowance {
	is, a := paces[s.kind], p.sources[s]
	if a == nil {
		p.room(now)
		a = &allowance{left: is.burst, at: now}
		p.sources[s] = a
	}
	a.left = min(is.burst, a.left+is.rate*max(0, now.Sub(a.at).Seconds()))
	a.at = now
	return a
}

// room drops those who have their burst again, and have missed nothing; if need be, anyone.
func (p *pace) room(now time.Time) {
	if len(p.sources) < maxSources {
		return
	}
	for s, a := range p.sources {
		if is := paces[s.kind]; a.missed == 0 && a.left+is.rate*now.Sub(a.at).Seconds() >= is.burst {
			delete(p.sources, s)
		}
	}
	for s := range p.sources {
		if len(p.sources) < maxSources {
			return
		}
		delete(p.sources, s)
	}
}
