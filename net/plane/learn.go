package plane

import (
	"time"

	"decenter/net/frame"
)

// Sighting tells that an address was seen behind an edge port.
type Sighting struct {
	MAC  frame.MAC
	Port Port
}

type sighting struct {
	port Port
	told time.Duration
}

// learn notes where a source lives, and reports what is new, has moved, or was not told for Config.Refresh. What there is no room
// for is neither learned nor reported, and so comes again with the address's next frame.
func (p *Plane) learn(f *passage) {
	old, in := p.learned[f.source]
	if in && old.port == f.in.id && f.now-old.told < p.cfg.Refresh {
		return
	}
	if len(p.news) >= maxNews || !in && len(p.learned) >= MaxLearned {
		return
	}
	p.learned[f.source] = sighting{f.in.id, f.now}
	p.news = append(p.news, Sighting{f.source, f.in.id})
}

// Learned drains what was seen since the last call, in the order in which it was.
func (p *Plane) Learned() []Sighting {
	news := p.news
	p.news = nil
	return news
}

// FlushPort forgets what was learned on a port.
func (p *Plane) FlushPort(id Port) {
	for mac, s := range p.learned {
		if s.port == id {
			delete(p.learned, mac)
		}
	}
}

// FlushLearned forgets what was learned on any.
func (p *Plane) FlushLearned() { clear(p.learned) }
