package explore

import "fmt"

// expand gives each state that may come next, with what happens then. The state that is given is used anew for each.
func (f *search) expand(state []byte, emit func(what string, next []byte)) {
	next := make([]byte, f.stride)
	for _, i := range f.actors {
		f.inside(i, state, next, emit)
	}
	for e := range f.ends {
		if f.flap[e/2] {
			f.flapping(e, state, next, emit)
		}
		if f.Queue == 0 {
			f.atOnce(e, state, next, emit)
		} else {
			f.send(e, state, next, emit)
			f.deliver(e, state, next, emit)
		}
	}
}

// inside is what a satellite does by itself: it learns of another topology, or its detours become ready.
func (f *search) inside(i int, state, next []byte, emit func(string, []byte)) {
	n := f.get(state, i)
	l := &f.locals[i][n]
	now, serial := l.now(), l.serial
	move := func(what string, e event) {
		copy(next, state)
		f.put(next, i, f.apply(i, n, e))
		emit(what, next)
	}
	if !now.ready {
		move(f.tell("%d's detours are ready", i), event{kind: works})
	}
	if int(serial) <= f.Adopt {
		for _, v := range f.then[i][now.view] {
			move(f.tell("%d learns of cables %v", i, f.views[v]), event{kind: adopts, at: v})
		}
	}
}

// flapping lets one end of a pair come up, or go down. A new session begins only when both ends have left the old one.
func (f *search) flapping(e int, state, next []byte, emit func(string, []byte)) {
	my, pair := f.ends[e], e/2
	mine, other, count := byte(stale0), byte(stale1), byte(count0)
	if e%2 == 1 {
		mine, other, count = stale1, stale0, count1
	}
	s := *f.session(state, pair)
	if int(s/count&counts) >= f.Flaps {
		return
	}
	n, far := f.get(state, my.self), f.get(state, my.other)
	up, theirs := f.locals[my.self][n].peers[my.peer].up, f.locals[my.other][far].peers[f.ends[e^1].peer].up
	copy(next, state)
	switch {
	case up:
		f.put(next, my.self, f.apply(my.self, n, event{kind: falls, at: uint8(my.peer)}))
		clear(f.flight(next, e^1))
		if s&mine == 0 && theirs {
			*f.session(next, pair) = (s | other) + count // the other end has still to notice
		} else {
			*f.session(next, pair) = s&^mine + count
			clear(f.flight(next, e))
		}
		emit(f.tell("%d has lost neighbour %d", my.self, my.other), next)
	case s&other == 0:
		f.put(next, my.self, f.apply(my.self, n, event{kind: rises, at: uint8(my.peer)}))
		*f.session(next, pair) = s + count
		emit(f.tell("%d has found neighbour %d", my.self, my.other), next)
	}
}

// talk tells whether an end may be heard: it is up, and in a session that the other end has not left.
func (f *search) talk(e int, state []byte) (message, bool) {
	my := f.ends[e]
	mine := byte(stale0)
	if e%2 == 1 {
		mine = stale1
	}
	l := &f.locals[my.self][f.get(state, my.self)]
	return l.say(my.peer), l.peers[my.peer].up && *f.session(state, e/2)&mine == 0
}

// hears gives what the other end makes of an announcement; false if it is down or nothing changes.
func (f *search) hears(e int, state []byte, m message) (uint32, bool) {
	my, at := f.ends[e], uint8(f.ends[e^1].peer)
	n := f.get(state, my.other)
	if !f.locals[my.other][n].peers[at].up {
		return n, false
	}
	to := f.apply(my.other, n, event{hearing, at, m})
	return to, to != n
}

func (f *search) atOnce(e int, state, next []byte, emit func(string, []byte)) {
	m, ok := f.talk(e, state)
	if !ok {
		return
	}
	if to, ok := f.hears(e, state, m); ok {
		copy(next, state)
		f.put(next, f.ends[e].other, to)
		emit(f.says(e, "and is heard", m), next)
	}
}

// send puts an announcement on its way, if there is room and anything new to say. What is lost on the way is as if it
// had not been sent.
func (f *search) send(e int, state, next []byte, emit func(string, []byte)) {
	m, ok := f.talk(e, state)
	line := f.flight(state, e)
	free := 0
	for free < len(line) && (line[free] != 0 || line[free+1] != 0) {
		free += messageBytes
	}
	if !ok || free == len(line) {
		return
	}
	n := f.speak(m)
	if free > 0 {
		if uint16(line[free-2])|uint16(line[free-1])<<8 == n {
			return
		}
	} else if my := f.ends[e]; f.locals[my.other][f.get(state, my.other)].peers[f.ends[e^1].peer].up {
		if _, ok := f.hears(e, state, m); !ok {
			return
		}
	}
	copy(next, state)
	to := f.flight(next, e)
	to[free], to[free+1] = byte(n), byte(n>>8)
	emit(f.says(e, "", m), next)
}

// deliver takes the oldest announcement off its way.
func (f *search) deliver(e int, state, next []byte, emit func(string, []byte)) {
	line := f.flight(state, e)
	n := uint16(line[0]) | uint16(line[1])<<8
	my := f.ends[e]
	if n == 0 || !f.locals[my.other][f.get(state, my.other)].peers[f.ends[e^1].peer].up {
		return
	}
	to, _ := f.hears(e, state, f.spoken[n])
	copy(next, state)
	f.put(next, my.other, to)
	rest := f.flight(next, e)
	copy(rest, line[messageBytes:])
	clear(rest[len(rest)-messageBytes:])
	emit(f.tell("%d hears that from %d", my.other, my.self), next)
}

// tell puts an event in words, when somebody reads them.
func (f *search) tell(format string, args ...any) string {
	if !f.telling {
		return ""
	}
	return fmt.Sprintf(format, args...)
}

func (f *search) says(e int, how string, m message) string {
	if !f.telling {
		return ""
	}
	ready := ""
	if m.ready {
		ready = ", is ready"
	}
	return fmt.Sprintf("%d tells %d that it holds %v as its %d.%s, and echoes %d %s",
		f.ends[e].self, f.ends[e].other, f.views[m.view], m.serial, ready, m.echo, how)
}
